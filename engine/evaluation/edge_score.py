"""Scores of edge maps against people's: ODS, OIS, AP, R50 (the BSDS500 benchmark; SAM-p 7.2) -- T thresholds, P photos.

A photo's edge map is cut at T thresholds; what is left is thinned and compared with each person's map. A pixel of one and a
pixel of the other can be matched when they are near, 0.0075 of the photo's diagonal, and each pixel can be matched once, so a
thick or a double line does not score twice. Recall: matched pixels of all people over all their pixels. Precision: pixels of
the result that were matched with anybody over all of them. F is their harmonic mean.

The published code solves an assignment in which leaving a pixel out costs 100 times the tolerance: it matches as many as can be
matched, and among such matchings takes a near one. Ours is a largest matching too, begun with the nearest pairs, so the numbers
of matched pixels are the same; which of two rival pixels is matched may differ.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order
from skimage.morphology import thin

from engine.evaluation.statistics import LEAST_RESAMPLED, resampled

THRESHOLDS = 99
TOLERANCE = 0.0075  # of the diagonal


@dataclass(frozen=True, slots=True)
class EdgeCounts:
    """Pixels of one photo, or added up over several, at each threshold: all (T,) int64.

    Attributes:
        found, human: of all people's maps, those matched and all.
        right, result: of the thinned result, those matched with anybody and all.
    """

    found: NDArray[np.int64]
    human: NDArray[np.int64]
    right: NDArray[np.int64]
    result: NDArray[np.int64]


def thresholds(count: int) -> NDArray[np.float64]:
    """Evenly spaced between 0 and 1, both excluded."""
    return np.arange(1, count + 1) / (count + 1)


def match(result_HW: NDArray[np.bool_], human_HW: NDArray[np.bool_], tolerance_px: float) -> NDArray[np.bool_]:
    """(H, W): pixels of the result that are matched one to one with pixels of the human map, as many as possible."""
    return _Human(human_HW, tolerance_px).match(result_HW)


def count_edges(
    strength_HW: NDArray[np.floating[Any]], humans: Sequence[NDArray[np.bool_]], count: int = THRESHOLDS
) -> EdgeCounts:
    """Compare one photo's edge map with people's.

    Args:
        strength_HW: 0 to 1; 0 is no edge at any threshold.
        humans: (H, W) each; taken as they are, not thinned.
    """
    tolerance_px = TOLERANCE * float(np.hypot(*strength_HW.shape))
    people = [_Human(human, tolerance_px) for human in humans]
    drawn = sum(int(human.sum()) for human in humans)
    rows: list[tuple[int, int, int, int]] = []
    pixels_before = -1
    for threshold in thresholds(count):
        cut = strength_HW >= threshold
        if (pixels := int(np.count_nonzero(cut))) == pixels_before:
            rows.append(rows[-1])  # cuts are nested: as many pixels are the same pixels
            continue
        pixels_before = pixels
        thinned = thin(cut) if pixels else cut
        matched = [human.match(thinned) for human in people]
        anybody = np.logical_or.reduce(matched) if matched else np.zeros_like(cut)
        found = sum(int(np.count_nonzero(one)) for one in matched)
        rows.append((found, drawn, int(np.count_nonzero(anybody)), int(np.count_nonzero(thinned))))
    return EdgeCounts(*np.array(rows, np.int64).T)


class _Human:
    """A person's map, ready to be matched with many results."""

    def __init__(self, human_HW: NDArray[np.bool_], tolerance_px: float) -> None:
        reach = int(tolerance_px)
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        squared = dy**2 + dx**2
        order = np.argsort(squared, kind="stable")
        order = order[squared[order] <= tolerance_px**2]
        self.dy, self.dx, self.reach = dy[order], dx[order], reach  # D places, nearest first
        number_HW = np.full(human_HW.shape, -1, np.int32)
        self.pixels = int(np.count_nonzero(human_HW))
        number_HW[human_HW] = np.arange(self.pixels)
        self.number_HW = np.pad(number_HW, reach, constant_values=-1)

    def match(self, result_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
        matched_HW = np.zeros_like(result_HW)
        ys, xs = np.nonzero(result_HW)
        near_DN = self.number_HW[ys + self.reach + self.dy[:, None], xs + self.reach + self.dx[:, None]]
        is_matched_N = largest_matching(near_DN, self.pixels) >= 0
        matched_HW[ys[is_matched_N], xs[is_matched_N]] = True
        return matched_HW


def largest_matching(near_DN: NDArray[np.int32], humans: int) -> NDArray[np.int32]:
    """Pair as many pixels as can be paired, each at most once.

    First the nearest pairs, then augmenting paths (Berge): along one, pairs are swapped so that one more pixel on either side
    has a partner, and none loses its own. (scipy's Hopcroft-Karp takes 10 ms for most maps, but 20 s for some.)

    Args:
        near_DN: the human pixels that each of N result pixels can be paired with, nearest first, -1: none. In one row every
            human pixel appears once at most: a row is one shift of the whole map.
        humans: their number.
    Returns:
        (N,) the human pixel that each is paired with; -1: none.
    """
    partner_N = np.full(near_DN.shape[1], -1, np.int32)
    partner_of_human = np.full(humans, -1, np.int32)
    free = np.flatnonzero((near_DN >= 0).any(0))
    for near_N in near_DN:
        human = near_N[free]
        is_new = (human >= 0) & (partner_of_human[human] < 0)
        partner_N[free[is_new]] = human[is_new]
        partner_of_human[human[is_new]] = free[is_new]
        free = free[~is_new]
    starts, steps = _what_paths_may_use(near_DN, partner_N, partner_of_human)
    dead: set[int] = set()  # from where no free human pixel can be reached, now and later
    for start in starts:
        came_from: dict[int, int] = {}  # human pixel: result pixel before it
        waiting = deque([start])
        end = -1
        while waiting and end < 0:
            pixel = waiting.popleft()
            for human in steps[pixel]:
                if human in came_from or human in dead:
                    continue
                came_from[human] = pixel
                if partner_of_human[human] < 0:
                    end = human
                    break
                waiting.append(int(partner_of_human[human]))
        if end < 0:
            dead.update(came_from)
        while end >= 0:
            pixel = came_from[end]
            partner_of_human[end] = pixel
            end, partner_N[pixel] = int(partner_N[pixel]), end
    return partner_N


def _what_paths_may_use(
    near_DN: NDArray[np.int32], partner_N: NDArray[np.int32], partner_of_human: NDArray[np.int32]
) -> tuple[list[int], dict[int, list[int]]]:
    """The free result pixels from which a free human pixel can be reached, and where each pixel on the way leads.

    A path goes from a result pixel to any human pixel near it, and from that to its partner. What cannot be reached from a free
    result pixel, or cannot reach a free human pixel, stays so while pairs are swapped elsewhere; few pixels are left.
    """
    count, humans = len(partner_N), len(partner_of_human)
    free = np.flatnonzero((partner_N < 0) & (near_DN >= 0).any(0))
    free_humans, paired = np.flatnonzero(partner_of_human < 0), np.flatnonzero(partner_of_human >= 0)
    if not len(free) or not len(free_humans):
        return [], {}
    pixels, which = np.nonzero(near_DN.T >= 0)
    near = near_DN[which, pixels]
    source, sink = count + humans, count + humans + 1
    tails = np.concatenate([pixels, count + paired, np.full(len(free), source), count + free_humans])
    heads = np.concatenate([count + near, partner_of_human[paired], free, np.full(len(free_humans), sink)])
    shape = (count + humans + 2, count + humans + 2)
    graph = csr_array((np.ones(len(tails)), (tails, heads)), shape=shape)
    from_source, to_sink = np.zeros(shape[0], bool), np.zeros(shape[0], bool)
    from_source[breadth_first_order(graph, source, return_predecessors=False)] = True
    to_sink[breadth_first_order(graph.T.tocsr(), sink, return_predecessors=False)] = True
    used = from_source & to_sink
    is_step = used[pixels] & used[count + near]
    own, first = np.unique(pixels[is_step], return_index=True)
    flat = near[is_step].tolist()
    bounds = zip(first.tolist(), [*first[1:].tolist(), len(flat)], strict=False)
    steps = {pixel: flat[start:stop] for pixel, (start, stop) in zip(own.tolist(), bounds, strict=False)}
    return free[used[free]].tolist(), steps


def recall_precision_f(
    found: NDArray[Any], human: NDArray[Any], right: NDArray[Any], result: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Each 0 to 1; 0 where there is nothing to divide by."""
    recall = found / np.maximum(human, 1)
    precision = right / np.maximum(result, 1)
    return recall, precision, 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def _interval_of_best(counts_P4T: NDArray[Any]) -> list[float] | None:
    if len(counts_P4T) < LEAST_RESAMPLED:
        return None
    again = np.einsum("rp,pct->crt", resampled(len(counts_P4T)), counts_P4T)
    low, high = np.quantile(recall_precision_f(*again)[2].max(1), [0.025, 0.975])
    return [float(low), float(high)]


def score(photos: Sequence[EdgeCounts]) -> dict[str, Any]:
    """The benchmark's figures of a set of photos.

    Returns:
        ods: best F with one threshold for all photos (recall and precision interpolated between neighbouring thresholds, as
        published), with its threshold, recall, precision, and ods_interval, 95%, bootstrap over photos, not interpolated, null
        where there are fewer than two;
        ois: F with each photo's own best threshold, its pixels added up; ap: mean precision at recall 0, 0.01, ... 1, where
        the curve reaches (as published, divided by 100 although there are 101 places; a map without different strengths is a
        single point, no curve, and has 0); r50: recall at precision 0.5, 0 if it is never reached; curve: [threshold, recall,
        precision, F].
    """
    stacked = np.stack([[one.found, one.human, one.right, one.result] for one in photos])  # P x 4 x T
    recall, precision, f = recall_precision_f(*stacked.sum(0))
    at = thresholds(stacked.shape[2])
    best = _best_between(at, recall, precision)
    own = recall_precision_f(*stacked.transpose(1, 0, 2))[2].argmax(1)
    of_own = stacked[np.arange(len(photos)), :, own].sum(0)
    return {
        "ods": best[3],
        "ods_threshold": best[0],
        "ods_recall": best[1],
        "ods_precision": best[2],
        "ods_interval": _interval_of_best(stacked),
        "ois": float(recall_precision_f(*of_own)[2]),
        "ap": _average_precision(recall, precision),
        "r50": _recall_at_half(recall, precision),
        "curve": np.stack([at, recall, precision, f], axis=1).tolist(),
    }


def _best_between(
    at: NDArray[np.float64], recall: NDArray[np.float64], precision: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Threshold, recall, precision and F where F is best, in 100 steps from each threshold to the next."""
    if len(at) == 1:
        places = np.zeros(1)
    else:
        places = (np.arange(len(at) - 1)[:, None] + np.linspace(0, 1, 100)).ravel()
    numbers = np.arange(len(at))
    r, p, t = (np.interp(places, numbers, values) for values in (recall, precision, at))
    f = 2 * p * r / np.maximum(p + r, 1e-12)
    k = int(f.argmax())
    return float(t[k]), float(r[k]), float(p[k]), float(f[k])


def _average_precision(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    reached, first = np.unique(recall, return_index=True)
    if len(reached) < 2:
        return 0.0
    return float(np.interp(np.linspace(0, 1, 101), reached, precision[first], left=0, right=0).sum() / 100)


def _recall_at_half(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    reached, first = np.unique(precision, return_index=True)
    wanted = max(0.5, float(reached[0]))
    return float(np.interp(wanted, reached, recall[first], right=0))
