"""python -m engine predict"""

import argparse
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.cli.common import Verbs, annotation, numbers, predictor, write_photo
from engine.errors import PromptInvalid


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    predict = verbs.add_parser("predict", parents=[common], help="masks for prompts on one photo")
    predict.add_argument("image", type=Path)
    predict.add_argument("--point", action="append", default=[], metavar="X,Y[,0]", help="0: not this")
    predict.add_argument("--box", metavar="X0,Y0,X1,Y1")
    predict.add_argument("--mask", type=Path, metavar="FILE.npy", help="logits of an earlier answer, see --logits")
    predict.add_argument(
        "--logits", type=Path, metavar="FILE.npy", help="where the first mask's logits go, small as they are"
    )
    predict.add_argument(
        "--stability-fallback",
        action="store_true",
        help="where one mask answers and it is unstable: the best of the three",
    )
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
    from engine.model.checkpoint import write_whole

    points = [numbers(text, (2, 3), "--point X,Y or X,Y,0") for text in options.point]
    for point in points:
        if len(point) == 3 and point[2] not in (0, 1):
            raise PromptInvalid(
                f"the third number of --point is 1 for foreground or 0 for background, not {point[2]:g}"
            )
    box = numbers(options.box, (4,), "--box X0,Y0,X1,Y1") if options.box else None
    mask = _read_logits(options.mask) if options.mask else None
    rgb = read_rgb(options.image)
    model = predictor(options, stability_fallback=options.stability_fallback)
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
            mask=mask,
            text=text,
        ),
    )
    given = [points[0][:2]] if points else [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)] if box else []
    annotations = [
        annotation(i, encode(answer.mask(i)), float(answer.predicted_iou_M[i]), float(answer.stability_M[i]), given)
        for i in range(len(answer.logits_MHW))
    ]
    write_photo(options.out, options.image, rgb, annotations, shown=1)
    if options.logits:
        content = io.BytesIO()
        np.save(content, answer.logits_MHW[0])
        write_whole(options.logits, content.getvalue())
    for found in annotations:
        print(f"mask {found['id']}: predicted IoU {found['predicted_iou']:.2f}, {found['area']} px")


def _read_logits(file: Path) -> NDArray[np.float32]:
    """Of the right kind; `Prompt.check` knows of what size they have to be."""
    try:
        values = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise PromptInvalid(f"{file} is not an array of NumPy's (.npy)") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise PromptInvalid(f"{file} is not an array of numbers")
    return values.astype(np.float32)
