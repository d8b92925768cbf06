"""python -m engine predict"""

import argparse
from pathlib import Path

from engine.cli.common import Verbs, annotation, numbers, predictor, write_photo
from engine.errors import PromptInvalid


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    predict = verbs.add_parser("predict", parents=[common], help="masks for prompts on one photo")
    predict.add_argument("image", type=Path)
    predict.add_argument("--point", action="append", default=[], metavar="X,Y[,0]", help="0: not this")
    predict.add_argument("--box", metavar="X0,Y0,X1,Y1")
    predict.add_argument("--text", metavar="WORDS", help="for checkpoints that take text")
    predict.add_argument(
        "--text-encoder", metavar="SPEC", help="minilm:PLACE or clip:PLACE, a folder or a name on the hub"
    )
    predict.add_argument("--out", type=Path, required=True, metavar="DIR")
    predict.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from engine.data.records import read_rgb
    from engine.inference.predictor import Prompt
    from engine.masks import encode

    points = [numbers(text, (2, 3), "--point X,Y or X,Y,0") for text in options.point]
    if any(len(point) == 3 and point[2] not in (0, 1) for point in points):
        raise PromptInvalid("the third number of --point is 1 for foreground or 0 for background")
    box = numbers(options.box, (4,), "--box X0,Y0,X1,Y1") if options.box else None
    rgb = read_rgb(options.image)
    model = predictor(options)
    text = None
    if options.text is not None:
        from engine.model.text import encoder_of

        text = encoder_of(model.model.text_config(), options.text_encoder).encode([options.text])[0]
    photo = model.embed(rgb)
    answer = model.predict(
        photo,
        Prompt(
            points=[(p[0], p[1]) for p in points],
            labels=[int(p[2]) if len(p) == 3 else 1 for p in points],
            box=(box[0], box[1], box[2], box[3]) if box else None,
            text=text,
        ),
    )
    given = [points[0][:2]] if points else [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)] if box else []
    annotations = [
        annotation(i, encode(answer.mask(i)), float(answer.predicted_iou_M[i]), float(answer.stability_M[i]), given)
        for i in range(len(answer.logits_MHW))
    ]
    write_photo(options.out, options.image, rgb, annotations, shown=1)
    for found in annotations:
        print(f"mask {found['id']}: predicted IoU {found['predicted_iou']:.2f}, {found['area']} px")
