"""Test vectors that Python and TypeScript share: python -m tests.data.make_vectors [--check]

Numbers come from the engine, so the TypeScript tests hold the page to it; the Python tests hold the engine to plain second
writings of the same rules.
"""

import json
import sys
from pathlib import Path

import numpy as np

from engine import masks as run_lengths
from engine.inference.correcting import Correcting
from engine.inference.frame import logits_to_mask, to_model_frame
from engine.inference.tidying import tidied
from engine.model.preprocessing import scale_to_model

FOLDER = Path(__file__).parent


def blobs(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth random mask; other seeds, other shares of it inside."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:height, :width]
    waves = sum(np.sin(xs * a + ys * b + c) for a, b, c in rng.uniform(-1.5, 1.5, (4, 3)))
    return np.asarray(waves > rng.uniform(-1, 1.5))


def rle() -> list[dict]:
    cases = [blobs(h, w, seed) for seed, (h, w) in enumerate([(5, 7), (1, 9), (9, 1), (40, 33), (64, 64), (3, 200)])]
    cases += [np.zeros((4, 6), bool), np.ones((4, 6), bool), np.eye(17, dtype=bool), np.pad(np.ones((1, 1), bool), 40)]
    return [
        {"size": list(mask.shape), "rows": ["".join(map(str, row.astype(int))) for row in mask], **_encoded(mask)}
        for mask in cases
    ]


def nasty() -> list[dict]:
    """Masks that go wrong elsewhere, on a photo of 40 x 60: from the page to a release that pycocotools reads."""
    ys, xs = np.mgrid[:40, :60]
    ring = (np.hypot(xs - 30, ys - 20) < 15) & (np.hypot(xs - 30, ys - 20) >= 6)
    cases = {
        "holes": (xs % 6 < 4) & (ys % 7 < 5) ^ ring,
        "a hole with an island in it": ring | ((xs - 30) ** 2 + (ys - 20) ** 2 < 5),
        "islands": ((xs // 5 + ys // 5) % 3 == 0) & (xs % 5 < 3) & (ys % 5 < 3),
        "one pixel, the first": (xs == 0) & (ys == 0),
        "one pixel, the last": (xs == 59) & (ys == 39),
        "one pixel, inside": (xs == 31) & (ys == 7),
        "the full frame": np.ones((40, 60), bool),
        "all but one pixel": (xs != 17) | (ys != 23),
        "a line one pixel wide, across": ys == 13,
        "a line one pixel wide, down": xs == 59,
        "a line one pixel wide, slanting": xs * 2 // 3 == ys,
        "a frame one pixel wide": (xs == 0) | (ys == 0) | (xs == 59) | (ys == 39),
        "a chessboard": (xs + ys) % 2 == 1,
    }
    return [
        {
            "name": name,
            "size": list(mask.shape),
            "rows": ["".join(map(str, row.astype(int))) for row in mask],
            **_encoded(mask),
        }
        for name, mask in cases.items()
    ]


def _encoded(mask: np.ndarray) -> dict:
    encoded = run_lengths.encode(mask)
    return {"counts": encoded["counts"], "area": int(mask.sum()), "box": list(run_lengths.bbox(encoded))}


def model_frame() -> list[dict]:
    rng = np.random.default_rng(0)
    cases = []
    for size in [(480, 640), (640, 480), (1000, 1500), (37, 91), (427, 640), (4003, 3001), (512, 512)]:
        height, width = size
        prompts = [{"kind": "point", "at": [0.5, 0.5], "label": 1}]
        prompts += [
            {"kind": "point", "at": [float(v) for v in rng.uniform(0, (width, height)).round(2)], "label": int(n % 2)}
            for n in range(3)
        ]
        for chosen in (
            prompts[:1],
            prompts,
            [*prompts[:2], {"kind": "box", "box": [1.0, 2.5, width - 3.0, height * 1.0]}],
        ):
            points = [p["at"] for p in chosen if p["kind"] == "point"]
            labels = [p["label"] for p in chosen if p["kind"] == "point"]
            box = next((p["box"] for p in chosen if p["kind"] == "box"), None)
            if box:
                points, labels = [*points, box[:2], box[2:]], [*labels, 2, 3]
            coords = to_model_frame(np.array(points), np.array(labels), size, 512).tolist()
            if not box:
                coords, labels = [*coords, [0.0, 0.0]], [*labels, -1]
            cases.append({"size": list(size), "input_side": 512, "prompts": chosen, "coords": coords, "labels": labels})
    return cases


def logits() -> list[dict]:
    cases = []
    for seed, (side, size) in enumerate(
        [(8, (8, 8)), (8, (20, 31)), (16, (50, 37)), (16, (7, 11)), (4, (1, 13)), (24, (61, 97))]
    ):
        rng = np.random.default_rng(seed)
        # In float16's grid, so that the text is short and means the same in both languages.
        values = rng.normal(0, 2, (side, side)).astype(np.float16).astype(np.float32)
        input_side = side * (4 if seed % 2 else 2)
        mask = logits_to_mask(values, size, input_side)
        case = {
            "side": side,
            "size": list(size),
            "input_side": input_side,
            "logits": [float(v) for v in values.ravel()],
        }
        cases.append({**case, **_encoded(mask)})
    return cases


def _edge_or_middle(pixel: int, length: int) -> float:
    return 0.0 if pixel == 0 else float(length) if pixel == length - 1 else float(pixel) + 0.5


def correcting() -> list[dict]:
    """Clicks on masks that are there, and answers to them: what goes in, and what is taken."""
    cases = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        size = height, width = (31, 44) if seed % 2 else (40, 26)
        before = blobs(height, width, seed)
        before[rng.random(size) < 0.03] ^= True  # specks: people's masks are not smooth
        now = before if seed % 3 else np.roll(before, 2, 1)
        answer = np.roll(now, int(rng.integers(1, 4)), 0) if seed % 4 else blobs(height, width, seed + 100)
        wrong = np.argwhere(answer != now)
        clicks = [
            {"kind": "point", "at": [float(x) + 0.5, float(y) + 0.5], "label": int(answer[y, x])}
            for y, x in wrong[rng.integers(len(wrong), size=1 + seed % 3)]
        ]
        if seed >= 20:  # on the photo's very edges, which belong to the pixels there
            edge = wrong[(wrong == 0).any(axis=1) | (wrong == np.array(size) - 1).any(axis=1)]
            clicks = [
                {
                    "kind": "point",
                    "at": [_edge_or_middle(x, width), _edge_or_middle(y, height)],
                    "label": int(answer[y, x]),
                }
                for y, x in edge[rng.integers(len(edge), size=2)]
            ]
        said = [
            {"kind": "point", "at": [float(x) + 0.5, float(y) + 0.5], "label": int(rng.integers(2))}
            for x, y in rng.integers((width, height), size=(int(rng.integers(4)), 2))
        ]
        if seed % 2:
            said.append({"kind": "box", "box": [2.5, 3.0, width - 4.0, height - 2.25]})
        of = Correcting(before, said, is_models=seed % 5 < 2)
        points, labels = [one["at"] for one in clicks], [one["label"] for one in clicks]
        given, given_labels, box = of.prompt(now, points, labels)
        masks = {"mask": before, "now": now, "answer": answer, "taken": of.taken(now, answer, points, labels)}
        cases.append(
            {
                "size": list(size),
                **{name: run_lengths.encode(mask)["counts"] for name, mask in masks.items()},
                "said": said,
                "is_models": of.is_models,
                "clicks": clicks,
                "points": [[*at, label] for at, label in zip(given, given_labels, strict=True)],
                "box": box,
            }
        )
    return cases


def tidy() -> list[dict]:
    """Noisy logits, padding included, and clicks on some of their specks: each case with the cells that change sides."""
    cases = []
    for seed, size in enumerate([(24, 24), (30, 61), (61, 30), (45, 50)] * 4):
        rng = np.random.default_rng(seed)
        side, input_side = 24, 48
        values = np.where(blobs(side, side, seed), 2.0, -2.0) + rng.normal(0, 1 + seed % 3 / 2, (side, side))
        values[rng.random((side, side)) < 0.01] = 0.0
        values = values.astype(np.float16).astype(np.float32)
        untouched = _turned(values, tidied(values, size, input_side, [], []))
        down, across = scale_to_model(size, input_side, side)
        clicks = []
        for at in rng.permutation(untouched)[: seed % 4]:
            row, column = divmod(int(at), side)
            # One that keeps the speck; every third time one that does not.
            label = int(values[row, column] > 0) ^ (len(clicks) == 2)
            clicks.append([min((column + 0.4) / across, size[1]), min((row + 0.6) / down, size[0]), label])
        made = tidied(values, size, input_side, [(x, y) for x, y, _ in clicks], [label for *_, label in clicks])
        cases.append(
            {
                "side": side,
                "size": list(size),
                "input_side": input_side,
                "points": clicks,
                "logits": [float(v) for v in values.ravel()],
                "turned": _turned(values, made),
                "turned_without_clicks": untouched,
            }
        )
    assert sum(case["turned"] != case["turned_without_clicks"] for case in cases) >= 6
    return cases


def _turned(before: np.ndarray, after: np.ndarray) -> list[int]:
    return [int(at) for at in np.flatnonzero((after > 0) != (before > 0))]


def main(arguments: list[str]) -> int:
    stale = []
    made = {
        "rle": rle,
        "nasty": nasty,
        "model_frame": model_frame,
        "logits_to_mask": logits,
        "correcting": correcting,
        "tidy": tidy,
    }
    for name, make in made.items():
        file = FOLDER / f"{name}.json"
        text = json.dumps(make(), separators=(",", ":")).replace("},{", "},\n{") + "\n"
        if file.exists() and file.read_text() == text:
            continue
        stale.append(file.name)
        if "--check" not in arguments:
            file.write_text(text)
    if stale and "--check" in arguments:
        print(f"not of this code: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
