"""Which predicted IoU and which stability a mask must have. Arithmetic only: no database, no model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from backend.common.statistics import Z_95

#: A mask is good where its IoU with what a person drew is at least this.
GOOD_IOU = 0.75
#: What is tried, of each; a hundredth finer than anybody can see.
IOU_STEPS = np.round(np.arange(0.0, 1.0, 0.01), 2)
STABILITY_STEPS = np.round(np.arange(0.0, 1.0, 0.02), 2)
#: With fewer masks left, a share of them says nothing.
MASKS_WANTED = 10
RESAMPLES, RESAMPLES_AT_ONCE = 200, 50
#: The same photos are drawn each time: choosing twice is as choosing once.
SEED = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Attributes:
    iou: with the person's mask that fits best.
    photo: that it is on; masks of one photo are good or bad together.
    truth: which object of the photo that mask is; None: there is none.
    group: of photos of one scene or video, which are good or bad together, too; "": the photo is its own.
    """

    predicted_iou: float
    stability: float
    iou: float
    photo: str
    truth: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """An automatic mask that people looked at.

    Attributes:
        iou: with what they left of it.
        photo: that it is on.
        above: predicted IoU and stability that its run wanted; what lay below was not kept, so nobody looked at it.
        detector: whose boxes the run took; None: the grid.
    """

    predicted_iou: float
    stability: float
    iou: float
    photo: str
    above: tuple[float, float]
    detector: UUID | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Attributes:
    attained: the interval's lower end is at least what was wanted.
    precision: share of good ones among the masks that are left; None: none is left.
    interval: 95%, by photos; see `_interval`.
    recall: share of the objects by people that a good mask is left for; None: there are none.
    masks: that are left, audited ones among them.
    """

    min_predicted_iou: float
    min_stability: float
    attained: bool
    precision: float | None
    interval: tuple[float, float]
    recall: float | None
    masks: int


def choose(candidates: Sequence[Candidate], truths: int, wanted: float, audited: Sequence[Audited] = ()) -> Chosen:
    """The thresholds that find the most objects among those that can be promised to have the precision that is wanted.

    Promised is the lower end of the interval, see `_interval`. The share itself would be too high: the best of five thousand
    pairs of thresholds is in part the luckiest, and masks of one photo are good or bad together. By the share, no more than a
    quarter of the calibrations kept what they promised; by the bound nearly all do (tests/backend/autolabel/test_thresholds.py
    simulates them).

    Where none can be promised, those with the highest lower end, with at least `MASKS_WANTED` masks.

    An audit knows nothing of what its run left out. So candidates are parted by which of those runs would have kept them: how
    large a part is, they alone say; how many of it are good, they and the audited masks together. And an audit never lowers
    thresholds by itself, since people let a mask pass that they would have drawn otherwise: what is lower than the candidates
    alone would have it must have the precision by them alone, too.

    Args:
        truths: objects by people on the photos.
        wanted: share of masks that are good, 0..1.
        audited: masks by the same checkpoint and prompts.
    """
    if not candidates:
        return _nothing(truths)
    known = _measured(candidates, audited)
    if not known.allowed_IS.any():
        return _nothing(truths)
    allowed_IS = known.allowed_IS
    if audited:
        alone = _measured(candidates, ())
        iou, stability = _picked(alone, alone.allowed_IS, wanted)[1]
        as_high_IS = np.zeros_like(allowed_IS)
        as_high_IS[iou:, stability:] = True
        allowed_IS = allowed_IS & (as_high_IS | (alone.interval_2IS[0] >= wanted))
    attained, at = _picked(known, allowed_IS, wanted)
    low, high = known.interval_2IS[:, *at].tolist()
    return Chosen(
        float(IOU_STEPS[at[0]]),
        float(STABILITY_STEPS[at[1]]),
        attained,
        float(known.precision_IS[at]),
        (low, high),
        int(known.found_IS[at]) / truths if truths else None,
        int(known.looked_at_IS[at]),
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """At each pair of steps, I of predicted IoU and S of stability.

    Attributes:
        allowed_IS: enough masks are left to choose it.
        number_IS, looked_at_IS: masks that are left, of the candidates; of those and the audited ones.
        found_IS: objects that a good mask is left for.
    """

    allowed_IS: NDArray[np.bool_]
    number_IS: NDArray[np.float64]
    looked_at_IS: NDArray[np.float64]
    found_IS: NDArray[np.int64]
    precision_IS: NDArray[np.float64]
    interval_2IS: NDArray[np.float64]


def _picked(known: _Measured, allowed_IS: NDArray[np.bool_], wanted: float) -> tuple[bool, tuple[int, int]]:
    """Whether the precision can be promised, and the steps to take."""
    low_IS = known.interval_2IS[0]
    attained = bool((allowed_IS & (low_IS >= wanted)).any())
    best_IS = _highest(allowed_IS & (low_IS >= wanted), known.found_IS) if attained else _highest(allowed_IS, low_IS)
    # Among equals the lower thresholds, which come first: they promise no more than was measured.
    iou, stability = np.unravel_index(_highest(best_IS, known.number_IS).argmax(), low_IS.shape)
    return attained, (int(iou), int(stability))


def _measured(candidates: Sequence[Candidate], audited: Sequence[Audited]) -> _Measured:
    figures: list[Candidate | Audited] = [*candidates, *audited]
    # How many of the steps each passes: it is left at all pairs of steps below these two.
    passes_iou = np.searchsorted(IOU_STEPS, [one.predicted_iou for one in figures], side="left")
    passes_stability = np.searchsorted(STABILITY_STEPS, [one.stability for one in figures], side="right")
    good: NDArray[np.bool_] = np.array([one.iou >= GOOD_IOU for one in figures], bool)
    own: NDArray[np.bool_] = np.arange(len(figures)) < len(candidates)
    every: NDArray[np.bool_] = np.full(len(figures), True)
    parts = _parts(figures, {one.above for one in audited})

    def left(of: NDArray[np.bool_], times_RN: NDArray[np.float32]) -> NDArray[np.float64]:
        """(R, P, I, S): how many of these are left of each part, with each mask so many times."""
        of_parts = [part & of for part in parts]
        return np.stack([_left(passes_iou[one], passes_stability[one], times_RN[:, one]) for one in of_parts], axis=1)

    once_1N = np.ones((1, len(figures)), np.float32)
    own_PIS, looked_at_PIS, right_PIS = (left(of, once_1N)[0] for of in (own, every, good))
    precision_IS, number_IS = _share(own_PIS, looked_at_PIS, right_PIS), own_PIS.sum(0)
    allowed_IS: NDArray[np.bool_] = number_IS >= min(MASKS_WANTED, len(candidates))
    resampled_RIS = np.concatenate(
        [_share(*(left(of, times_RN) for of in (own, every, good))) for times_RN in _resamples(candidates, audited)]
    )
    worth_IS, photos = (
        _worth_masks(own_PIS, looked_at_PIS, right_PIS),
        len({one.group or one.photo for one in candidates}),
    )
    known = {(c.photo, c.truth) for c in candidates if c.truth is not None}
    owners: dict[tuple[str, int | None], int] = {one: index for index, one in enumerate(known)}
    owner = np.array([owners.get((c.photo, c.truth), -1) for c in candidates])
    finds = np.flatnonzero(good[own] & (owner >= 0))
    return _Measured(
        allowed_IS,
        number_IS,
        looked_at_PIS.sum(0),
        _found(owner[finds], passes_iou[finds], passes_stability[finds], len(owners)),
        precision_IS,
        _interval(precision_IS, worth_IS, resampled_RIS, allowed_IS, photos),
    )


def _resamples(candidates: Sequence[Candidate], audited: Sequence[Audited]) -> Iterator[NDArray[np.float32]]:
    """How often each mask takes part where photos are drawn anew, those of the calibration and those of the audit apart; some
    resamples at a time, because resamples x masks need not fit into memory.
    """
    rng = np.random.default_rng(SEED)
    photos_K = [
        np.unique([one.group or one.photo for one in of], return_inverse=True)[1] for of in (candidates, audited) if of
    ]
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        yield np.concatenate([_drawn(rng, photo_N)[:, photo_N] for photo_N in photos_K], axis=1)


def _drawn(rng: np.random.Generator, photo_N: NDArray[np.intp]) -> NDArray[np.float32]:
    photos = int(photo_N.max()) + 1
    return rng.multinomial(photos, np.full(photos, 1 / photos), RESAMPLES_AT_ONCE).astype(np.float32)


def _share(
    own_PIS: NDArray[np.float64], looked_at_PIS: NDArray[np.float64], right_PIS: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(..., I, S): the share of good masks: the parts' shares, each by the size that the candidates give it."""
    good_IS = (own_PIS * right_PIS / np.maximum(looked_at_PIS, 1)).sum(-3)
    share: NDArray[np.float64] = good_IS / np.maximum(own_PIS.sum(-3), 1)
    return share


def _parts(figures: Sequence[Candidate | Audited], limits: set[tuple[float, float]]) -> list[NDArray[np.bool_]]:
    """Which are alike in what runs with such limits keep of them."""
    predicted_iou, stability = np.array([(one.predicted_iou, one.stability) for one in figures]).T
    parts: list[NDArray[np.bool_]] = [np.full(len(figures), True)]
    for least_iou, least_stability in sorted(limits):
        kept = (predicted_iou > least_iou) & (stability >= least_stability)
        parts = [half for part in parts for half in (part & kept, part & ~kept) if half.any()]
    return parts


def _worth_masks(
    own_PIS: NDArray[np.float64], looked_at_PIS: NDArray[np.float64], right_PIS: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(I, S): how many masks looked at without parts would say as much: all of them where there is one part.

    By the variance of sampling in two phases (Cochran, Sampling Techniques, 12.2): the parts' sizes are counted on the
    candidates, the shares in them on more. Half a good and half a bad mask is added to each part, so that none is sure.
    """
    number_IS = np.maximum(own_PIS.sum(0), 1)
    size_PIS, share_PIS = own_PIS / number_IS, (right_PIS + 0.5) / (looked_at_PIS + 1)
    share_IS = (size_PIS * share_PIS).sum(0)
    within_IS = (size_PIS * share_PIS * (1 - share_PIS) * own_PIS / np.maximum(looked_at_PIS, 1)).sum(0)
    between_IS = (size_PIS * (share_PIS - share_IS) ** 2).sum(0)
    varies_IS = within_IS + between_IS  # 0: there is no mask
    worth: NDArray[np.float64] = number_IS * share_IS * (1 - share_IS) / np.where(varies_IS > 0, varies_IS, np.inf)
    return worth


def _interval(
    precision_IS: NDArray[np.float64],
    worth_IS: NDArray[np.float64],
    resampled_RIS: NDArray[np.float64],
    allowed_IS: NDArray[np.bool_],
    photos: int,
) -> NDArray[np.float64]:
    """(2, I, S): 95% of the precision, for all pairs of thresholds at once, so also for the pair that is picked.

    Wilson's, with the number of masks that would say as much if each were of a photo of its own (Korn and Graubard, Confidence
    intervals for proportions estimated from survey data, 1998), by a bootstrap over photos; it is never narrower than the
    number of masks alone would have it. How many standard errors it spans is the bootstrap's, too: those of the pair that is
    the farthest off, in 95% of the resamples. And more, where there are so few photos that the error itself is hardly known:
    Student's instead of the normal quantile, by the first term of its expansion (Abramowitz and Stegun, 26.7.5).

    Args:
        worth_IS: how many independent masks the precision is known from.
        resampled_RIS: the precision, with photos drawn anew.
        allowed_IS: pairs that may be picked.
    """
    if not allowed_IS.any():
        return np.stack([np.zeros_like(precision_IS), np.ones_like(precision_IS)])
    freedom = max(photos - 1, 1)
    # Half a good and half a bad mask more, or nothing would be uncertain where all are good.
    smooth_IS = (precision_IS * worth_IS + 0.5) / (worth_IS + 1)
    one_mask_IS = smooth_IS * (1 - smooth_IS)
    variance_IS = np.maximum(
        resampled_RIS.var(axis=0) * (freedom + 1) / freedom, one_mask_IS / np.maximum(worth_IS, 1e-9)
    )
    off_RK = (resampled_RIS - precision_IS)[:, allowed_IS] / np.sqrt(variance_IS)[allowed_IS]
    z = max(Z_95, float(np.quantile(off_RK.max(axis=1), 0.95)))
    z *= 1 + (z * z + 1) / (4 * freedom)
    trials_IS = one_mask_IS / variance_IS
    middle_IS = (precision_IS + z * z / (2 * trials_IS)) / (1 + z * z / trials_IS)
    spread_IS = np.sqrt(precision_IS * (1 - precision_IS) / trials_IS + z * z / (4 * trials_IS**2))
    half_IS = z * spread_IS / (1 + z * z / trials_IS)
    return np.clip([middle_IS - half_IS, middle_IS + half_IS], 0.0, 1.0)


def is_better(one: Chosen, other: Chosen) -> bool:
    """Whether thresholds are to be preferred to others: those that give the precision, then those that find more objects."""
    return _worth(one) > _worth(other)


def _worth(chosen: Chosen) -> tuple[float, ...]:
    # Where the precision is not to be had, coming near it counts for more than finding much.
    recall, precision = chosen.recall or 0.0, chosen.precision or 0.0
    return (1.0, recall, precision) if chosen.attained else (0.0, chosen.interval[0], precision, recall)


def _nothing(truths: int) -> Chosen:
    return Chosen(float(IOU_STEPS[-1]), 0.0, False, None, (0.0, 1.0), 0.0 if truths else None, 0)


def _highest(allowed: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.bool_]:
    """Those that are allowed and have the highest value of these."""
    highest: NDArray[np.bool_] = allowed & (values == values[allowed].max())
    return highest


def _left(
    passes_iou: NDArray[np.intp], passes_stability: NDArray[np.intp], times_RN: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(R, I, S): how many are left, at each pair of steps, with each so many times."""
    shape = (len(IOU_STEPS) + 1, len(STABILITY_STEPS) + 1)
    passed_RC = np.zeros((len(times_RN), shape[0] * shape[1]))
    cell_N = np.ravel_multi_index((passes_iou, passes_stability), shape)
    order = np.argsort(cell_N, kind="stable")
    cells, starts = np.unique(cell_N[order], return_index=True)
    if len(cells):
        passed_RC[:, cells] = np.add.reduceat(times_RN[:, order], starts, axis=1)
    passed = passed_RC.reshape(-1, *shape)[:, ::-1, ::-1]
    left: NDArray[np.float64] = passed.cumsum(1).cumsum(2)[:, ::-1, ::-1][:, 1:, 1:]
    return left


def _found(
    owner: NDArray[np.intp], passes_iou: NDArray[np.intp], passes_stability: NDArray[np.intp], owners: int
) -> NDArray[np.int64]:
    """How many objects a mask is left for, at each pair of steps."""
    most = np.zeros((owners, len(IOU_STEPS) + 1), np.uint8)  # steps of stability, among those that pass so many of IoU
    np.maximum.at(most, (owner, passes_iou), passes_stability.astype(np.uint8))
    most = np.maximum.accumulate(most[:, ::-1], axis=1)[:, ::-1][:, 1:]
    counts = [np.bincount(column, minlength=len(STABILITY_STEPS) + 1) for column in most.T]
    return np.array(counts)[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
