"""One click on a mask that is there, with the default model on real photos."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from backend.insights.simulation.decoder import Decoder, Pixels
from backend.insights.simulation.hand import Sight, iou_of
from engine import api as engine
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / "coco_mix"
WEIGHTS = Path(engine.__file__).parent / "weights" / "maskloop_tiny.safetensors"
PHOTOS, OBJECTS, LEAST_PIXELS = 8, 3, 900

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="these photos may not be copied into the project")


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Sight, Pixels]]:
    """Objects of photos that the model never saw."""
    graph = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    engine.export_decoder(WEIGHTS, graph)
    info = engine.describe_checkpoint(WEIGHTS)
    decoder = Decoder(graph.read_bytes(), input_side=info.input_side, embedding_shape=info.embedding_shape)
    found = []
    for name in json.loads((SHARED_DATA / "splits.json").read_text())["coco_mix_heldout"][:PHOTOS]:
        with Pillow.open(FOLDER / "images" / f"{name}.jpg") as opened:
            embedding = engine.embed_image(np.asarray(opened.convert("RGB")), checkpoint=WEIGHTS)
        labels_HW = cv2.imread(str(FOLDER / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        sight = Sight(decoder, decoder.embedding(embedding.tobytes()), labels_HW.shape)
        masks = [labels_HW == value for value in np.unique(labels_HW) if value]
        found += [(sight, mask) for mask in masks if np.count_nonzero(mask) >= LEAST_PIXELS][:OBJECTS]
    return found


def by_one_click(sight: Sight, faulty: engine.Correcting, truth_HW: Pixels) -> tuple[float, float, float]:
    """IoU with the truth before it, after it, and where the click goes in alone with the mask."""
    now_HW = faulty.mask_HW
    click = engine.click_on_larger_error(truth_HW & ~now_HW, now_HW & ~truth_HW)
    assert click is not None
    at, label = click
    said, meant, box = faulty.prompt(now_HW, [at], [label])
    logits_HW = sight.decoder.logits_of(now_HW)
    told = sight.answer(said, meant, logits_HW, box)[0].mask_HW
    alone = sight.answer([at], [label], logits_HW)[0].mask_HW
    after, lone = (faulty.taken(now_HW, answer_HW, [at], [label]) for answer_HW in (told, alone))
    return iou_of(now_HW, truth_HW), iou_of(after, truth_HW), iou_of(lone, truth_HW)


def test_a_click_on_a_mask_of_a_person_mends_it_and_alone_would_ruin_it(things):
    figures = []
    for index, (sight, truth_HW) in enumerate(things):
        columns = np.flatnonzero(truth_HW.any(0))
        cut_HW, grown_HW = truth_HW.copy(), truth_HW.copy()
        cut_HW[:, columns[int(len(columns) * 0.75)] :] = False
        height, width = truth_HW.shape
        ys, xs = np.mgrid[:height, :width]
        y, x = np.argwhere(truth_HW)[np.random.default_rng(index).integers(np.count_nonzero(truth_HW))]
        grown_HW |= (ys - y) ** 2 + (xs - x) ** 2 < 0.2 * np.count_nonzero(truth_HW)
        for faulty_HW in (cut_HW, grown_HW):
            if 0.5 < iou_of(faulty_HW, truth_HW) < 0.95:
                figures.append(by_one_click(sight, engine.Correcting(faulty_HW), truth_HW))
    before, after, alone = np.mean(figures, axis=0)
    assert len(figures) > 20
    assert after > before + 0.02
    assert after > alone + 0.2


def test_a_click_on_a_mask_of_the_model_does_not_make_it_worse_and_alone_would(things):
    figures = []
    for sight, truth_HW in things:
        rows, columns = np.flatnonzero(truth_HW.any(1)), np.flatnonzero(truth_HW.any(0))
        box = tuple(float(edge) for edge in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        at, _ = engine.innermost_point(truth_HW)
        for said, points, given in (
            ({"kind": "box", "box": list(box)}, [], box),
            ({"kind": "point", "at": list(at), "label": 1}, [at], None),
        ):
            faulty_HW = sight.answer(points, [1] * len(points), None, given)[0].mask_HW
            if 0.4 < iou_of(faulty_HW, truth_HW) < 0.9:
                figures.append(by_one_click(sight, engine.Correcting(faulty_HW, [said], is_models=True), truth_HW))
    before, after, alone = np.mean(figures, axis=0)
    assert len(figures) > 10
    assert after > before
    assert alone < before - 0.1
