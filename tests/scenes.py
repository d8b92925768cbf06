"""Label-map folders of drawn photos, for whoever wants to know the truth of every pixel."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow


def write_discs(folder: Path, *, photos: int, discs: int = 6, side: int = 128, seed: int = 0) -> Path:
    """Bright discs that do not touch on a dark, noisy ground, like nuclei: images/ID.png, masks/ID.png."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ys, xs = np.mgrid[:side, :side]
    for number in range(photos):
        owner = np.zeros((side, side), np.uint8)
        while owner.max() < discs:
            (y, x), radius = rng.uniform(0.1, 0.9, 2) * side, rng.uniform(0.06, 0.13) * side
            reach = (ys - y) ** 2 + (xs - x) ** 2
            if not owner[reach < (radius + 3) ** 2].any():
                owner[reach < radius**2] = owner.max() + 1
        light = 25 + rng.normal(0, 6, owner.shape)
        for disc in range(1, discs + 1):
            light[owner == disc] += rng.uniform(90, 190)
        rgb = np.repeat(light.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
        Pillow.fromarray(rgb).save(folder / "images" / f"{number:03}.png")
        Pillow.fromarray(owner).save(folder / "masks" / f"{number:03}.png")
    return folder
