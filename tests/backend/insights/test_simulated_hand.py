"""One simulated person, one object, the real decoder."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from backend.insights.simulation.client import Client, Refused
from backend.insights.simulation.decoder import Decoder
from backend.insights.simulation.hand import Sight, correct, draw, iou_of
from backend.insights.simulation.settings import Habits
from backend.insights.simulation.truth import Photo, lots, read_folder
from backend.launch.sentence import Sentence
from engine import api as engine
from engine.inference.correcting import changed_at
from tests.scenes import write_discs

#: The tests of the backend put a tiny model in the place of the default one.
WEIGHTS = Path(engine.__file__).parent / "weights" / "maskloop_tiny.safetensors"
NO_ERRORS = Habits(sloppy_share=0, wrong_click_share=0, missed_share=0, click_noise=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_discs(tmp_path_factory.mktemp("discs"), photos=10)


@pytest.fixture(scope="module")
def photo(folder: Path) -> Photo:
    return Photo(folder / "images" / "000.png", folder / "masks" / "000.png")


@pytest.fixture(scope="module")
def sight(photo: Photo, tmp_path_factory: pytest.TempPathFactory) -> Sight:
    graph = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    engine.export_decoder(WEIGHTS, graph)
    info = engine.describe_checkpoint(WEIGHTS)
    decoder = Decoder(graph.read_bytes(), input_side=info.input_side, embedding_shape=info.embedding_shape)
    with Pillow.open(photo.path) as opened:
        embedding = engine.embed_image(np.asarray(opened.convert("RGB")), checkpoint=WEIGHTS)
    return Sight(decoder, decoder.embedding(embedding.tobytes()), photo.labels_HW.shape)


def test_what_a_person_does_follows_from_the_seed_the_photo_and_the_object_alone(sight, photo):
    thing = photo.things[0]
    once, again, other = (
        draw(sight, thing.mask_HW, Habits(click_noise=0.2), lots(seed, photo.name, thing.number)) for seed in (0, 0, 1)
    )
    assert (once.prompts, once.ious, once.seconds) == (again.prompts, again.ious, again.seconds)
    assert np.array_equal(once.mask_HW, again.mask_HW)
    assert once.prompts != other.prompts


def test_the_answer_is_the_one_that_the_engine_gives(sight, photo):
    at = (photo.labels_HW.shape[1] / 2, photo.labels_HW.shape[0] / 2)
    ours = sight.answer([at], [1])
    embedding = sight.embedding[0].astype(np.float16)
    theirs = engine.answer_prompt(embedding, sight.size, checkpoint=WEIGHTS, points=[at], labels=[1])
    assert [one.index for one in ours] == [channel - 1 for channel in theirs.channel_M]
    assert np.allclose([one.predicted_iou for one in ours], theirs.predicted_iou_M, atol=1e-4)
    for one, logits_HW in zip(ours, theirs.logits_MHW, strict=True):
        frame = (sight.size, sight.decoder.input_side)
        tidy_HW = engine.logits_to_mask(engine.tidied(logits_HW, *frame, [at], [1]), *frame)
        assert iou_of(one.mask_HW, tidy_HW) > 0.99


def test_time_is_charged_as_sam_2_charges_it_and_the_brush_finishes_what_clicks_cannot(sight, photo):
    habits = replace(NO_ERRORS, choose_seconds=0, undo_seconds=0, brush_seconds=20, stop_iou=1.0, most_clicks=3)
    drawn = draw(sight, photo.things[0].mask_HW, habits, lots(0))
    assert drawn.is_brushed
    assert drawn.clicks == 3
    by_hand = 20 if drawn.ious[-1] <= 0.7 else 10
    assert drawn.seconds == pytest.approx(1 + 3 * 1.5 + by_hand)
    assert iou_of(drawn.mask_HW, photo.things[0].mask_HW) > 0.85
    assert (drawn.predicted_iou, drawn.choice) == (None, None)


def test_errors_can_be_set(sight, photo):
    truth = photo.things[0].mask_HW
    sloppy = draw(sight, truth, replace(NO_ERRORS, sloppy_share=1, sloppy_iou=0.01), lots(0))
    assert (sloppy.clicks, sloppy.is_brushed) == (1, False)
    careful = draw(sight, truth, NO_ERRORS, lots(0))
    assert careful.ious[-1] >= NO_ERRORS.stop_iou or careful.is_brushed
    wild = draw(sight, truth, replace(NO_ERRORS, wrong_click_share=1, stop_iou=0.999), lots(0))
    assert [one["at"] for one in wild.prompts] != [one["at"] for one in careful.prompts]


def test_a_correction_changes_only_what_is_at_its_clicks():
    before, after = np.zeros((2, 20, 30), bool)
    before[2:8, 2:8] = True
    after[2:8, 2:12] = True  # goes on to the right
    after[12:16, 20:26] = True  # and finds something else
    corrected = changed_at(before, after, [(10.5, 4.5)], [1])
    assert corrected[4, 10]
    assert not corrected[13, 22]
    assert corrected[2:8, 2:8].all()
    assert np.array_equal(changed_at(before, after, [(10.5, 4.5)], [0]), before)


def test_half_a_mask_is_corrected_to_what_the_person_wants(sight, photo):
    truth = photo.things[0].mask_HW
    half = truth.copy()
    half[:, : int(np.flatnonzero(truth.any(0)).mean())] = False
    mended = correct(sight, engine.Correcting(half), truth, NO_ERRORS, lots(0))
    assert iou_of(mended.mask_HW, truth) >= NO_ERRORS.stop_iou
    finely = correct(sight, engine.Correcting(half), truth, NO_ERRORS, lots(0), finely=True)
    assert iou_of(finely.mask_HW, truth) > 0.85


def test_what_clicks_mend_keeps_what_was_said_of_it_and_costs_those_clicks(sight, photo):
    """A model's mask that lacks a third: the clicks go on from its box, and nothing is drawn from nothing."""
    mended = []
    for thing in photo.things:
        truth = thing.mask_HW
        columns, rows = np.flatnonzero(truth.any(0)), np.flatnonzero(truth.any(1))
        box = {"kind": "box", "box": [float(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]}
        faulty = truth.copy()
        faulty[:, columns[int(len(columns) * 0.7)] :] = False
        drawn = correct(sight, engine.Correcting(faulty, [box], is_models=True), truth, NO_ERRORS, lots(0))
        assert drawn.is_brushed or iou_of(drawn.mask_HW, truth) >= NO_ERRORS.stop_iou > iou_of(faulty, truth)
        if drawn.prompts[0] == box:
            mended.append(drawn)
    assert mended
    for drawn in mended:
        assert 1 <= drawn.clicks == len(drawn.prompts) - 1
        assert drawn.seconds == pytest.approx(NO_ERRORS.find_seconds + drawn.clicks * NO_ERRORS.click_seconds)


def test_a_hopeless_mask_is_deleted_with_a_key_and_drawn_anew(sight, photo):
    truth = photo.things[0].mask_HW
    speck = np.zeros_like(truth)
    at, _ = engine.innermost_point(truth)
    speck[int(at[1]), int(at[0])] = True
    anew, drawn = (
        correct(sight, engine.Correcting(speck), truth, NO_ERRORS, lots(0)),
        draw(sight, truth, NO_ERRORS, lots(0)),
    )
    assert (anew.clicks, anew.prompts) == (drawn.clicks, drawn.prompts)
    assert anew.seconds == pytest.approx(drawn.seconds + NO_ERRORS.key_seconds)


def test_photos_are_drawn_by_the_seed_and_crowded_ones_can_be_left_aside(folder, tmp_path):
    first, again, other = ([one.name for one in read_folder(folder, images=10, seed=seed)] for seed in (3, 3, 4))
    assert first == again
    assert sorted(first) == sorted(other) != first
    with pytest.raises(Sentence, match="has 0 that fit"):
        read_folder(folder, images=10, seed=0, most_objects=2)
    with pytest.raises(Sentence, match="is not a label-map folder"):
        read_folder(tmp_path, images=10, seed=0)


class Moody(http.server.BaseHTTPRequestHandler):
    """Hangs up, then is busy, then answers."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        if "bad" in self.path:
            self._answer(400, b'{"code": "invalid_input", "message": "No."}')
        elif "fault" in self.path:
            self._answer(500, b"Traceback")
        elif self.asked % 3 == 1:
            self.connection.close()
        else:
            self._answer(503 if self.asked % 3 == 2 else 200, b'{"token": "t"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_server_that_goes_away_is_asked_again_and_a_refusal_is_not(moody):
    person = Client(moody, "somebody", "secret")
    assert person.asked_again == 2
    before = Moody.asked
    with pytest.raises(Refused) as refused:
        person.post("/bad/")
    assert (refused.value.status, refused.value.code, Moody.asked - before) == (400, "invalid_input", 1)
    with pytest.raises(Refused, match="500 Traceback"):  # a fault is to be seen, not asked about until it goes away
        person.post("/fault/")
    assert Moody.asked - before == 2
