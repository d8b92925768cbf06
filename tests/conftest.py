"""What every test may ask for."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from xdist.scheduler import LoadScopeScheduling

from tests.text_encoders import small_bert, small_clip

#: Real photos with masks; a test that wants them skips where they are not (see CONTRIBUTING.md).
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SYSTEM = "tests/system/"


class TogetherByFile(LoadScopeScheduling):
    """A file's tests share what its fixtures make, and those of the whole system one Maskloop."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return SYSTEM if file.startswith(SYSTEM) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherByFile:
    return TogetherByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the whole system take longest, and go first: the other process has the rest meanwhile."""
    items.sort(key=lambda item: not item.nodeid.startswith(SYSTEM))


@pytest.fixture
def jpeg() -> Callable[..., bytes]:
    """The bytes of a photo made up of shapes; another `seed`, another photo."""

    def make(width: int = 60, height: int = 40, seed: int = 0, format: str = "JPEG", **options: object) -> bytes:
        out = io.BytesIO()
        Pillow.fromarray(scene(height, width, seed)[0]).save(out, format, **options)
        return out.getvalue()

    return make


@pytest.fixture(scope="session")
def minilm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sentence encoder, its weights random."""
    return small_bert(tmp_path_factory.mktemp("minilm"))


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP, its weights random."""
    return small_clip(tmp_path_factory.mktemp("clip"))


def scene(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Coloured discs on a ground: (H, W, 3) uint8, and masks (N, H, W) of what is seen of each."""
    rng = np.random.default_rng(seed)
    rgb = np.tile(rng.integers(30, 90, 3).astype(np.uint8), (height, width, 1))
    ys, xs = np.mgrid[:height, :width]
    owner = np.zeros((height, width), int)
    for number in range(1, 4):
        y, x = rng.uniform(0.2, 0.8, 2) * (height, width)
        radius = rng.uniform(0.1, 0.25) * min(height, width)
        inside = (ys - y) ** 2 + (xs - x) ** 2 < radius**2
        rgb[inside] = rng.integers(110, 255, 3)
        owner[inside] = number
    noise = rng.integers(-6, 7, rgb.shape)
    masks = np.stack([owner == number for number in range(1, 4) if (owner == number).any()])
    return np.clip(rgb.astype(int) + noise, 0, 255).astype(np.uint8), masks
