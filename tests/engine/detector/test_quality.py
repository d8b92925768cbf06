"""Which masks people would take as they are: learned from what detector and model say, and promised from photos unseen."""

from dataclasses import replace

import numpy as np
import pytest

from engine.detector import quality as fitting
from engine.detector.quality import ACCEPTED_IOU, BoxMask, Judged, chosen, fit_quality
from engine.masks import area, bbox, encode

SIZE = (40, 400)
DECODER = "d" * 64


def square(place, missing=0, lower=0):
    """An object in its own column of the photo; `missing` rows are cut off at its bottom, or it is `lower` by some."""
    mask = np.zeros(SIZE, bool)
    mask[5 + lower : 15 + lower - missing, 20 * place + 2 : 20 * place + 12] = True
    return mask


def box_mask(mask, *, stability=0.9, box_confidence=0.5, is_click=False, prompt_box=None):
    rle = encode(mask)
    box = bbox(rle)
    return BoxMask(
        rle=rle,
        box=box,
        area=area(rle),
        predicted_iou=0.8,
        stability_score=stability,
        prompt_box=prompt_box or tuple(float(edge) for edge in box),
        box_confidence=box_confidence,
        is_click=is_click,
    )


def photos(rng, count, *, tells=True):
    """Of every photo's 20 objects half have a mask that lies beside them; nothing tells but, where it does, the stability."""
    made = []
    for _ in range(count):
        truths, found = [], []
        for place in range(20):
            is_good = rng.random() < 0.5
            stability = np.clip(rng.normal(0.9 if is_good or not tells else 0.7, 0.08), 0.01, 0.99)
            truths.append(encode(square(place)))
            found.append([box_mask(square(place, lower=0 if is_good else 3), stability=stability)])
        made.append(Judged(SIZE, found, truths))
    return made


def test_no_photo_is_scored_by_what_was_fitted_on_one_of_its_group(monkeypatch):
    """Of two groups of three photos, each of 20 masks, either is scored by what the other three say; the last fit is of all."""
    some = [replace(photo, group="ab"[n // 3]) for n, photo in enumerate(photos(np.random.default_rng(0), 6))]
    fitted, plain = [], fitting._logistic
    monkeypatch.setattr(fitting, "_logistic", lambda features, good: fitted.append(len(good)) or plain(features, good))
    fit_quality(some, DECODER)
    assert fitted == [60] * 6 + [120]


def judged(quality, some):
    """Confidences of what is offered, and whether it is right."""
    confidences, right = [], []
    for photo in some:
        for one in chosen(photo.of_boxes, quality, photo.size):
            confidences.append(float(quality.calibration.confidence(np.array([one.confidence]))[0]))
            right.append(one.rle in photo.truths)
    return np.array(confidences), np.array(right)


def test_confidence_is_the_share_of_masks_that_are_taken_on_photos_it_was_not_fitted_on():
    rng = np.random.default_rng(0)
    quality = fit_quality(photos(rng, 40), DECODER)
    confidences, right = judged(quality, photos(rng, 40))
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        some = (confidences >= low) & (confidences < high)
        assert some.sum() > 30
        assert right[some].mean() == pytest.approx(confidences[some].mean(), abs=0.1)
    threshold = quality.calibration.threshold_for_precision(0.85)
    taken = confidences >= threshold.confidence
    assert right[taken].mean() >= 0.85
    assert taken.sum() > 0.4 * right.sum()


def test_nothing_is_promised_of_masks_whose_figures_tell_nothing():
    rng = np.random.default_rng(1)
    quality = fit_quality(photos(rng, 6, tells=False), DECODER)
    assert quality.calibration.threshold_for_precision(0.6) is None
    assert quality.calibration.threshold_for_precision(0.4) is not None


def test_of_the_box_s_mask_and_the_click_s_the_better_is_offered_and_one_for_each_object():
    rng = np.random.default_rng(2)
    quality = fit_quality(photos(rng, 20), DECODER)
    whole, cut = box_mask(square(0), stability=0.95, is_click=True), box_mask(square(0, missing=3), stability=0.6)
    other = box_mask(square(1), stability=0.9)
    twin = box_mask(square(1, missing=1), stability=0.85)
    offered = chosen([[cut, whole], [twin], [other], []], quality, SIZE)
    assert [replace(one, confidence=0.0) for one in offered] == [whole, other]
    assert offered[0].confidence > offered[1].confidence


@pytest.mark.parametrize("missing", [0, 3])
def test_photos_where_all_masks_are_right_or_none_give_finite_confidences(missing):
    found = [[box_mask(square(place, missing=missing))] for place in range(20)]
    some = [Judged(SIZE, found, [encode(square(place)) for place in range(20)])] * 3
    quality = fit_quality(some, DECODER)
    assert np.isfinite(quality.weights_F1).all()
    confidences, _ = judged(quality, some)
    assert (confidences > 0.9).all() if missing == 0 else (confidences < 0.1).all()


def test_a_second_mask_of_an_object_and_one_of_no_object_are_wrong_and_where_nobody_says_what_is_there_neither():
    right, second, nothing = square(0), square(0, missing=1), square(5)
    found = [[box_mask(right)], [box_mask(nothing)]]
    ignored = np.zeros(SIZE, bool)
    ignored[:, 90:] = True
    counts = []
    for photo in (
        Judged(SIZE, found, [encode(right)]),
        Judged(SIZE, found, [encode(right)], ignored),
        Judged(SIZE, [[box_mask(right)], [box_mask(second, prompt_box=(0.0, 0.0, 30.0, 30.0))]], [encode(right)]),
    ):
        quality = fit_quality([photo] * 5, DECODER)
        lowest = quality.calibration.thresholds[-1]
        counts.append((quality.calibration.boxes, round(lowest.precision * lowest.boxes)))
    # Two masks of one object are one proposal.
    assert counts == [(10, 5), (5, 5), (5, 5)]


def test_a_mask_counts_as_right_where_people_would_agree_as_much():
    counts = []
    for missing in (1, 2):  # IoU 0.9 and 0.8
        photo = Judged(SIZE, [[box_mask(square(0, missing=missing))]], [encode(square(0))])
        thresholds = fit_quality([photo] * 12, DECODER).calibration.thresholds
        counts.append(thresholds[-1].precision)
    assert ACCEPTED_IOU == 0.85
    assert counts == [1.0, 0.0]


def test_nothing_is_promised_where_nothing_was_detected_or_nobody_says_what_is_there():
    found = [[box_mask(square(0))]]
    for photo in (Judged(SIZE, [[]], [encode(square(0))]), Judged(SIZE, found, [], np.ones(SIZE, bool))):
        quality = fit_quality([photo], DECODER)
        assert quality.calibration.best_bound() is None
        (offered,) = chosen(found, quality, SIZE)
        assert quality.calibration.confidence(np.array([offered.confidence])) == 0
