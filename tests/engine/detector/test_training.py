"""A detector from photos to file: it learns, the same each time, and only from what is known."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from engine import api
from engine.detector.detect import LEAST_CONFIDENCE, Detector, propose
from engine.detector.examples import embed_examples
from engine.detector.head import DetectorHead
from engine.detector.masks import masks_of_boxes
from engine.detector.matching import match
from engine.detector.training import (
    DetectorRun,
    DetectorTrainer,
    example_targets,
    split_for_calibration,
    train_detector,
)
from engine.errors import DataInvalid, DetectorInvalid
from engine.model.checkpoint import save_checkpoint

SHORT = DetectorRun(steps=6, photos=4, hidden=8, log_every_steps=2)


def recall_of(head, examples, boxes=5):
    """Share of the objects that one of the few best boxes of their photo matches at IoU 0.5."""
    found = [(match(propose(head, e.read(), e.size)[0][:boxes], e.boxes_N4, 0.5) >= 0).sum() for e in examples]
    return sum(found) / sum(len(e.boxes_N4) for e in examples)


def test_it_learns_to_find_discs_in_scenes_it_has_not_seen(scenes, embedder):
    learn = embed_examples(scenes(40), embedder)
    unseen = [views[0] for views in embed_examples(scenes(20, first_seed=500), embedder)]
    trainer = DetectorTrainer(DetectorRun(steps=80, hidden=16, learning_rate=1e-2), learn, 64)
    before = recall_of(trainer.head, unseen)
    lines = list(trainer.train())
    after = recall_of(trainer.averaged, unseen)
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert before < 0.15
    assert after > 0.45


def test_the_same_seed_gives_the_same_file_and_another_seed_another(scenes, embedder, tmp_path):
    records = scenes(6)
    files = []
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        train_detector(replace(SHORT, seed=seed), records, embedder, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1] != files[2]


def test_it_is_calibrated_on_complete_photos_that_it_did_not_learn_from(scenes, embedder, tmp_path):
    records = scenes(10) + scenes(4, first_seed=100, complete=None)
    complete = frozenset(r.name for r in records if r.complete)
    learn, held_out = split_for_calibration(records, complete, seed=0)
    assert len(held_out) == 2
    assert {r.name for r in held_out} < complete
    assert not {r.name for r in held_out} & {r.name for r in learn}
    said = []
    info = train_detector(SHORT, records, embedder, tmp_path / "x", tell=said.append)
    assert (info.training["complete_photos"], info.training["incomplete_photos"]) == (8, 4)
    assert info.training["calibration_photos"] == 2
    assert said[-1]["done"] == str(tmp_path / "x")
    named = frozenset({"3", "5", "7"})
    info = train_detector(SHORT, records, embedder, tmp_path / "y", calibrate_on=named)
    assert info.training["calibration_photos"] == 3


def test_what_is_held_out_for_calibration_are_whole_groups(scenes):
    records = [replace(record, group=f"scene {int(record.name) // 3}") for record in scenes(12)]
    records += [replace(record, group="scene 0") for record in scenes(2, first_seed=100, complete=None)]
    complete = frozenset(record.name for record in records if record.complete)
    for seed in range(8):
        learn, held_out = split_for_calibration(records, complete, seed)
        assert not {record.group for record in learn} & {record.group for record in held_out}
        assert len(held_out) == 3, "the smallest group, since none is as small as a fifth"
        assert {record.name for record in held_out} < complete
    with pytest.raises(DataInvalid, match="all of one group"):
        split_for_calibration([replace(record, group="the only scene") for record in records], complete, 0)


def test_without_enough_complete_photos_it_says_why_it_cannot_learn(scenes, embedder, tmp_path):
    records = scenes(3) + scenes(5, first_seed=100, complete=False)
    with pytest.raises(DataInvalid, match="3 of 8 photos are known to be complete, at least 4 are needed"):
        train_detector(SHORT, records, embedder, tmp_path / "x")
    with pytest.raises(DataInvalid, match="100 is to be calibrated on, but is not among the complete photos"):
        train_detector(SHORT, records, embedder, tmp_path / "x", calibrate_on=frozenset({"100"}))
    for one_side in (frozenset(), frozenset("012345")):
        with pytest.raises(DataInvalid, match="needed on both sides"):
            train_detector(SHORT, scenes(6), embedder, tmp_path / "x", calibrate_on=one_side)
    empty = [replace(record, read_masks=list) for record in scenes(6)]
    with pytest.raises(DataInvalid, match="not one box"):
        train_detector(SHORT, empty, embedder, tmp_path / "x")


def test_a_photo_is_embedded_once_and_its_mirror_image_has_mirrored_boxes(scenes, embedder, tmp_path):
    records = scenes(2)
    ((plain, mirrored), _) = embed_examples(records, embedder, mirror=True)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "embeddings").iterdir()}
    assert len(made) == 4
    embed_examples(records, embedder, mirror=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "embeddings").iterdir()} == made
    np.testing.assert_array_equal(mirrored.boxes_N4[:, [0, 2]], 64 - plain.boxes_N4[:, [2, 0]])
    np.testing.assert_array_equal(mirrored.boxes_N4[:, [1, 3]], plain.boxes_N4[:, [1, 3]])
    other_way_round = np.ascontiguousarray(records[0].pixels()[:, ::-1])
    np.testing.assert_array_equal(mirrored.read(), embedder.predictor.embed(other_way_round).embedding)


def test_a_stored_embedding_is_used_as_it_is_and_has_no_mirror_image(scenes, embedder, tmp_path):
    (record,) = scenes(1)
    stored = tmp_path / "stored.f16"
    stored.write_bytes(embedder.predictor.embed(record.pixels()).embedding.tobytes())
    ((example,),) = embed_examples([replace(record, image=None, embedding=stored)], embedder, mirror=True)
    assert example.embedding == stored
    stored.write_bytes(b"short")
    with pytest.raises(DataInvalid, match="an embedding has"):
        embed_examples([replace(record, embedding=stored)], embedder)


def test_the_weight_of_a_mask_counts_against_the_heaviest(scenes, embedder):
    (record,) = scenes(1)
    masks = [np.pad(np.ones((6, 6), bool), ((8 * i, 42 - 8 * i), (8 * i, 58 - 8 * i))) for i in range(2)]
    ((example,),) = embed_examples([replace(record, read_masks=partial(list, masks), weights=(10.0, 1.0))], embedder)
    config = DetectorHead.Config(channels=32, grid=8, image_side=64)
    _, targets = example_targets(example, config, heaviest=10.0)
    assert [float(targets.weight_BKGG[0, :, i, i].sum()) for i in range(2)] == pytest.approx([1, 0.1])


def test_the_engines_api_answers_what_the_detector_does(scenes, embedder, encoder_hash, weights, tmp_path):
    train_detector(SHORT, scenes(6), embedder, tmp_path / "x.safetensors")
    photo = embedder.predictor.embed(scenes(1)[0].pixels())
    found = api.detect_boxes(
        photo.embedding, photo.size, detector=tmp_path / "x.safetensors", encoder_hash=encoder_hash
    )
    detector = Detector.load(tmp_path / "x.safetensors")
    assert found == detector.detect(photo.embedding, photo.size, encoder_hash=encoder_hash)
    assert torch.is_grad_enabled()
    assert api.proposal_thresholds(tmp_path / "x.safetensors") == detector.quality.calibration.thresholds
    boxes = [one for one in found if one.confidence >= LEAST_CONFIDENCE]
    proposed = api.propose_masks(photo.embedding, photo.size, detector=tmp_path / "x.safetensors", checkpoint=weights)
    assert proposed == masks_of_boxes(embedder.predictor, photo, boxes, detector.quality)


def test_a_detector_does_not_judge_the_masks_of_a_decoder_that_it_does_not_know(scenes, embedder, model, tmp_path):
    train_detector(SHORT, scenes(6), embedder, tmp_path / "x.safetensors")
    photo = embedder.predictor.embed(scenes(1)[0].pixels())
    with torch.no_grad():
        model.mask_decoder.iou_token.weight += 1
    save_checkpoint(model, tmp_path / "other.safetensors", recipe="test")
    with pytest.raises(DetectorInvalid, match="confidences are of masks by the decoder"):
        api.propose_masks(
            photo.embedding,
            photo.size,
            detector=tmp_path / "x.safetensors",
            checkpoint=tmp_path / "other.safetensors",
        )


def banded(record, top=0, bottom=0):
    """The record with a band of rows of which nobody says what is there."""
    band = np.zeros(record.size, bool)
    band[top:bottom] = True
    return replace(record, read_ignored=lambda: band)


def test_where_nobody_says_what_is_there_is_no_negative_mirrored_or_not(scenes, embedder):
    (record,) = scenes(1)
    half = np.zeros(record.size, bool)
    half[:, :20] = True  # of 64 columns: cells 0 to 2 of 8
    examples = embed_examples([record, replace(record, read_ignored=lambda: half)], embedder, mirror=True)
    config = DetectorHead.Config(channels=32, grid=8, image_side=64)
    for mirrored, ignored in ((0, slice(0, 3)), (1, slice(5, 8))):
        plain, careful = (example_targets(views[mirrored], config, 1.0)[1].negative_BKGG[0] for views in examples)
        assert plain[..., ignored].any()
        assert not careful[..., ignored].any()
        others = [column for column in range(8) if not ignored.start <= column < ignored.stop]
        assert torch.equal(careful[..., others], plain[..., others])


def test_boxes_where_nobody_says_what_is_there_calibrate_nothing_and_cost_no_precision(scenes, embedder, monkeypatch):
    from engine.detector import training
    from engine.evaluation.detector import evaluate_detector, photo_boxes

    (record,) = scenes(1)
    truth = record.read_masks()[0]
    ys, xs = np.nonzero(truth)
    right = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    wrong = (40.0, 40.0, 60.0, 48.0)
    assert not truth[40:].any()
    seen = []
    monkeypatch.setattr(training, "propose", lambda *_: (np.array([right, wrong], float), np.array([0.9, 0.8])))
    monkeypatch.setattr(training, "fit_calibration", lambda photos, _: seen.append(photos))
    one = replace(record, read_masks=lambda: [truth])
    head = DetectorHead(DetectorHead.Config(channels=32, grid=8, image_side=64))
    for photo in (one, banded(one, 36, 48), banded(one, 0, 48)):
        training.calibrate(head, [views[0] for views in embed_examples([photo], embedder)])
    assert [matches.tolist() for ((_, matches),) in seen] == [[True, False], [True], [True]]
    found = [(right, 0.9), (wrong, 0.8)]
    for ignored, boxes in ((None, 2), (banded(one, 36, 48).read_ignored(), 1), (banded(one, 46, 48).read_ignored(), 2)):
        assert evaluate_detector([photo_boxes(found, [truth], ignored)])["boxes"] == boxes


def test_a_photo_that_says_it_is_not_complete_is_believed_whoever_names_it(scenes, embedder, tmp_path):
    records = scenes(4) + scenes(1, first_seed=100, complete=False) + scenes(1, first_seed=200, complete=None)
    everything = frozenset(record.name for record in records)
    info = train_detector(SHORT, records, embedder, tmp_path / "x", complete=everything)
    assert (info.training["complete_photos"], info.training["incomplete_photos"]) == (3, 1)  # two of five calibrate
    with pytest.raises(DataInvalid, match="100 is to be calibrated on, but is not among the complete photos"):
        train_detector(SHORT, records, embedder, tmp_path / "y", complete=everything, calibrate_on=frozenset({"100"}))
