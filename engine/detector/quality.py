"""Whether people would take a box's mask as it is -- N masks, F features. NumPy only.

A detector knows how sure it is of a box, and the promptable model of a mask; neither knows whether the two of them are
of one thing, and a mask that leaks out of its box is the commonest fault. Logistic regression on what both say and on how
well mask and box agree gives a score, and isotonic regression on complete photos that the detector did not learn from makes
it a probability, too high a one where the decoder did (see `engine.detector.calibration`). It holds for one pair of
detector and decoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.detector.calibration import Calibration, fit_calibration, numbered
from engine.detector.matching import MOST_IGNORED, share_inside
from engine.masks import Rle, iou
from engine.masks.boxes import box_iou

#: People who outline the same object agree by 85% to 91% IoU (SAM-p, section 5, "mask quality"); nobody asks more of a mask.
ACCEPTED_IOU = 0.85
#: What `features` are, in this order.
FEATURES = ("box confidence", "predicted IoU", "stability", "agreement", "mask in box", "side", "click")
#: Weight of the squared coefficients, of features with deviation 1: a few hundred masks decide, a dozen do not.
RIDGE = 1.0
#: The scores that confidences are fitted on come from coefficients that did not see their photo, or one of its group.
FOLDS = 5
_NEWTON_STEPS = 30
#: Two boxes whose masks overlap by more IoU than this were of one object: the one with more confidence stays.
SAME_OBJECT_IOU = 0.7


@dataclass(frozen=True, slots=True)
class BoxMask:
    """
    Attributes:
        box: of the mask, (x0, y0, x1, y1) in pixels, far edges excluded.
        area: pixels.
        predicted_iou, stability_score: the model's own, of the mask that it likes best.
        prompt_box, box_confidence: of the detector; see `DetectedBox`.
        is_click: the prompt was a click in the middle of the box, not the box.
        confidence: the chance that people take the mask as it is; see `engine.detector.quality`.
    """

    rle: Rle
    box: tuple[int, int, int, int]
    area: int
    predicted_iou: float
    stability_score: float
    prompt_box: tuple[float, float, float, float]
    box_confidence: float
    is_click: bool = False
    confidence: float = 0.0

    @property
    def prompt_point(self) -> tuple[float, float]:
        """The middle of the detector's box, (x, y)."""
        x0, y0, x1, y1 = self.prompt_box
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True, slots=True)
class Quality:
    """
    Attributes:
        means_F, deviations_F: of the features.
        weights_F1: coefficients of the standardised features, and the constant.
        calibration: from scores to the probability that the mask is accepted.
        decoder_hash: of the checkpoint that made the masks.
    """

    means_F: NDArray[np.float64]
    deviations_F: NDArray[np.float64]
    weights_F1: NDArray[np.float64]
    calibration: Calibration
    decoder_hash: str

    def scores(self, found: Sequence[BoxMask], size: tuple[int, int]) -> NDArray[np.float64]:
        """(N,), 0 to 1, not calibrated."""
        features_NF = (features(found, size) - self.means_F) / self.deviations_F
        return _sigmoid(features_NF @ self.weights_F1[:-1] + self.weights_F1[-1])


def features(found: Sequence[BoxMask], size: tuple[int, int]) -> NDArray[np.float64]:
    """(N, F): see `FEATURES`; shares as log-odds, sizes as logarithms.

    Args:
        size: (height, width) of the photo in pixels.
    """
    if not found:
        return np.zeros((0, len(FEATURES)))
    prompt_N4 = np.array([one.prompt_box for one in found], np.float64)
    box_N4 = np.array([one.box for one in found], np.float64)
    prompt_area_N = (prompt_N4[:, 2:] - prompt_N4[:, :2]).prod(axis=1)
    columns = [
        _log_odds(np.array([one.box_confidence for one in found])),
        _log_odds(np.array([one.predicted_iou for one in found])),
        _log_odds(np.array([one.stability_score for one in found])),
        _log_odds(np.array([box_iou(p[None], b[None])[0, 0] for p, b in zip(prompt_N4, box_N4, strict=True)])),
        np.log(np.array([one.area for one in found]) / prompt_area_N),
        np.log(np.sqrt(prompt_area_N) / max(size)),
        np.array([float(one.is_click) for one in found]),
    ]
    return np.stack(columns, axis=1)


def chosen(of_boxes: Sequence[Sequence[BoxMask]], quality: Quality, size: tuple[int, int]) -> list[BoxMask]:
    """Each box's better mask, best first, one for each object; `confidence` is the score as it is before calibration."""
    rows = [one for masks in of_boxes for one in masks]
    scores = iter(quality.scores(rows, size).tolist())
    scored = [[replace(one, confidence=next(scores)) for one in masks] for masks in of_boxes]
    best = [max(masks, key=lambda one: one.confidence) for masks in scored if masks]
    kept: list[BoxMask] = []
    for one in sorted(best, key=lambda one: -one.confidence):
        if not kept or float(np.max(iou([one.rle], [other.rle for other in kept]))) <= SAME_OBJECT_IOU:
            kept.append(one)
    return kept


@dataclass(frozen=True, slots=True)
class Judged:
    """A complete photo.

    Attributes:
        size: (height, width) in pixels.
        of_boxes: for each detected box, the masks to choose from.
        truths: its objects.
        ignored_HW: pixels of which nobody says what is there; None: there are none.
        group: what photos have in common that are alike; None: it is like no other.
    """

    size: tuple[int, int]
    of_boxes: list[list[BoxMask]]
    truths: list[Rle]
    ignored_HW: NDArray[np.bool_] | None = None
    group: str | None = None


def fit_quality(photos: Sequence[Judged], decoder_hash: str) -> Quality:
    """Fit on complete photos that the detector did not learn from, and best the decoder neither. Where nothing was
    detected on them, nothing is promised: every confidence is 0.
    """
    rows = [[one for masks in photo.of_boxes for one in masks] for photo in photos]
    if not any(rows):
        return _knows_nothing(decoder_hash)
    features_PNF = [features(row, photo.size) for row, photo in zip(rows, photos, strict=True)]
    good_PN = [_good(row, photo.truths) for row, photo in zip(rows, photos, strict=True)]

    def fitted(photo_numbers: Sequence[int], calibration: Calibration) -> Quality:
        chosen_NF = np.concatenate([features_PNF[number] for number in photo_numbers])
        means_F, deviations_F = chosen_NF.mean(axis=0), np.maximum(chosen_NF.std(axis=0), 1e-6)
        weights_F1 = _logistic(
            (chosen_NF - means_F) / deviations_F, np.concatenate([good_PN[number] for number in photo_numbers])
        )
        return Quality(means_F, deviations_F, weights_F1, calibration, decoder_hash)

    uncalibrated = Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    everyone = range(len(photos))
    fold_of = [group % FOLDS for group in numbered([photo.group for photo in photos])]
    judged = []
    for number, photo in enumerate(photos):
        others = [other for other in everyone if fold_of[other] != fold_of[number]]
        if not any(rows[other] for other in others):
            others = list(everyone)
        quality = fitted(others, uncalibrated)
        offered = chosen(photo.of_boxes, quality, photo.size)
        judged.append(_scored(offered, photo))
    if not any(len(scores) for scores, _ in judged):  # all of it lies where nobody says what is there
        return _knows_nothing(decoder_hash)
    return fitted(list(everyone), fit_calibration(judged, [photo.group for photo in photos]))


def _knows_nothing(decoder_hash: str) -> Quality:
    count = len(FEATURES)
    never = Calibration(np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    return Quality(np.zeros(count), np.ones(count), np.zeros(count + 1), never, decoder_hash)


def _scored(offered: list[BoxMask], photo: Judged) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The scores of what would be offered, and whether it is accepted: of two masks of one object, only the first."""
    scores_N = np.array([one.confidence for one in offered], np.float64)
    is_match_N = np.zeros(len(offered), bool)
    if offered and photo.truths:
        iou_NM = iou([one.rle for one in offered], photo.truths)
        for index in range(len(offered)):
            best = int(iou_NM[index].argmax())
            if iou_NM[index, best] >= ACCEPTED_IOU:
                is_match_N[index] = True
                iou_NM[:, best] = -1.0
    if photo.ignored_HW is not None and offered:
        boxes_N4 = np.array([one.box for one in offered], np.float64)
        counts_N = is_match_N | (share_inside(boxes_N4, photo.ignored_HW) < MOST_IGNORED)
        scores_N, is_match_N = scores_N[counts_N], is_match_N[counts_N]
    return scores_N, is_match_N


def _good(found: Sequence[BoxMask], truths: list[Rle]) -> NDArray[np.float64]:
    if not found or not truths:
        return np.zeros(len(found))
    best_N: NDArray[np.float64] = iou([one.rle for one in found], truths).max(axis=1)
    return (best_N >= ACCEPTED_IOU).astype(np.float64)


def _logistic(features_NF: NDArray[np.float64], is_good_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ridge-penalised maximum likelihood by Newton's method; the constant, last, is not penalised.

    Of photos where all masks are good, or none, the constant would go to infinity: half a mask of the other kind is
    added (Haldane, 1955).
    """
    rows = np.concatenate([features_NF, np.zeros((2, features_NF.shape[1]))])
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    is_good_N = np.concatenate([is_good_N, [1.0, 0.0]])
    weight_N = np.concatenate([np.ones(len(features_NF)), [0.5, 0.5]])
    penalty = np.diag([RIDGE] * features_NF.shape[1] + [0.0])
    weights = np.zeros(rows.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance_N = _sigmoid(rows @ weights)
        gradient = rows.T @ (weight_N * (chance_N - is_good_N)) + penalty @ weights
        curvature = (rows * (weight_N * chance_N * (1 - chance_N))[:, None]).T @ rows + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))


def _log_odds(share_N: NDArray[np.float64]) -> NDArray[np.float64]:
    share_N = np.clip(share_N, 1e-4, 1 - 1e-4)
    odds: NDArray[np.float64] = np.log(share_N / (1 - share_N))
    return odds
