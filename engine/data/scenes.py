"""Drawn scenes, whose every pixel is known -- H x W pixels, N corners. NumPy and OpenCV.

A few thousand photos of the world teach what dogs and chairs look like, and next to nothing of a disc on a plain ground. Scenes
are cheap and endless, and teach what everything else is made of: something even, or evenly patterned, ends where something else
begins; of a hundred alike, one is meant; what lies in front hides what is behind.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.data.records import read_rgb
from engine.errors import DataInvalid

Picture = NDArray[np.float32]  # (H, W, 3), 0..255

#: Edges are drawn so many times as large and then averaged, so that pixels on a border are mixtures, as in photos.
_FINER = 2
_SHIFT = 4  # of fixed-point coordinates, bits
#: An object of which less is to be seen is not asked for: pixels, and share of itself.
LEAST_VISIBLE_PX, LEAST_VISIBLE_SHARE = 60, 0.35
#: Between the mean colours of an object and of what is around it, 0..255: what nobody could see is not asked for.
LEAST_CONTRAST = 30.0
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Scene:
    """
    Attributes:
        rgb_HW3: uint8.
        owner_HW: uint16; 0: no object, else its number, 1..N without gaps.
    """

    rgb_HW3: NDArray[np.uint8]
    owner_HW: NDArray[np.uint16]


def draw_scene(
    rng: np.random.Generator, size: tuple[int, int], photos: Sequence[Callable[[], NDArray[np.uint8]]] = ()
) -> Scene:
    """
    Args:
        size: (height, width) in pixels.
        photos: each gives a photo, (H, W, 3) RGB uint8, which may lie behind the objects; what is in it is nobody's.
    """
    is_grey = rng.random() < 0.25
    canvas = _ground(rng, size, photos)
    if is_grey:
        canvas = _grey(canvas)
    owner_HW = np.zeros(size, np.uint16)
    whole_px = [0]
    family = _Family(rng)
    is_crowd = rng.random() < 0.5
    count = int(rng.integers(8, 60)) if is_crowd else int(rng.integers(1, 9))
    side = min(size)
    radius = side * (rng.uniform(0.02, 0.07) if is_crowd else rng.uniform(0.08, 0.28))
    apart = rng.random() < 0.5  # whether they may not touch
    spread = rng.uniform(0.05, 0.5)
    for number in range(count):
        if not is_crowd and number and rng.random() < 0.7:
            family = _Family(rng)
        middle = rng.uniform(0.02, 0.98, 2) * size[::-1]
        own_radius = max(4.0, radius * float(np.exp(rng.normal(0, spread))))
        alpha_HW = _filled(family.outline(rng) * own_radius + middle, size)
        inside = alpha_HW > 0.5
        if inside.sum() < LEAST_VISIBLE_PX or (apart and owner_HW[_grown(inside)].any()):
            continue
        paint = family.paint(rng, inside, canvas, is_grey=is_grey)
        canvas += alpha_HW[..., None] * ((_grey(paint) if is_grey else paint) - canvas)
        owner_HW[inside] = len(whole_px)
        whole_px.append(int(inside.sum()))
    return Scene(_seen(rng, canvas), numbered(owner_HW, whole_px))


def write_scenes(folder: Path, *, count: int, side: int, seed: int = 0, photos: Sequence[Path] = ()) -> None:
    """A label-map folder, the same for the same arguments: images/scene-NNNNN.jpg, masks/scene-NNNNN.png.

    Args:
        side: of the square scenes, pixels.
        photos: files that may lie behind the objects.
    Raises:
        DataInvalid: there is something in the folder.
        OSError: a file cannot be written.
    """

    def reading(file: Path) -> Callable[[], NDArray[np.uint8]]:
        return lambda: read_rgb(file)

    behind = [reading(file) for file in photos]

    def scenes() -> Iterator[tuple[str, Scene]]:
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            scene = draw_scene(rng, (side, side), behind)
            while not scene.owner_HW.any():  # now and then all that was drawn is too small
                scene = draw_scene(rng, (side, side), behind)
            yield f"scene-{number:05}", scene

    write_folder(folder, scenes())


def write_folder(folder: Path, scenes: Iterable[tuple[str, Scene]]) -> None:
    """A label-map folder of scenes and their names; all of it, or nothing.

    Raises:
        DataInvalid: there is something in the folder.
        OSError: a file cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DataInvalid(f"{folder} is not empty; what is drawn goes into a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as unfinished:
        made = Path(unfinished) / "made"
        for kind in ("images", "masks"):
            (made / kind).mkdir(parents=True)
        for name, scene in scenes:
            bgr_HW3 = np.ascontiguousarray(scene.rgb_HW3[..., ::-1])
            jpeg = cv2.imencode(".jpg", bgr_HW3, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
            (made / "images" / f"{name}.jpg").write_bytes(jpeg.tobytes())
            depth = np.uint8 if scene.owner_HW.max() < 256 else np.uint16
            (made / "masks" / f"{name}.png").write_bytes(
                cv2.imencode(".png", scene.owner_HW.astype(depth))[1].tobytes()
            )
        made.replace(folder)  # where it is empty, too


class _Family:
    """Things alike: one kind of outline and one way of painting, each a little different."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.shape = _SHAPES[int(rng.choice(len(_SHAPES), p=_SHARES))]
        self.aspect = float(np.exp(rng.normal(0, 0.35)))
        self.roughness = float(rng.uniform(0, 1))
        self.texture = _Texture(rng)
        self.same_colour = rng.random() < 0.6
        self.dome = float(rng.normal(0, 25)) if rng.random() < 0.4 else 0.0
        self.rim = float(rng.choice([-60, 60])) if rng.random() < 0.2 else 0.0

    def outline(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """(N, 2), x and y, about 1 from the middle."""
        corners = self.shape(rng, self.roughness) * np.array([np.sqrt(self.aspect), 1 / np.sqrt(self.aspect)])
        turn = rng.uniform(0, 2 * np.pi)
        turned: NDArray[np.float64] = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        return turned

    def paint(self, rng: np.random.Generator, inside: NDArray[np.bool_], behind: Picture, *, is_grey: bool) -> Picture:
        """A picture of the scene's size, to be seen through the outline alone; not of the colour of what is around it."""
        if not self.same_colour:
            self.texture.colours = _Texture(rng).colours
        around = behind[_grown(inside) & ~inside] if inside.any() else behind.reshape(-1, 3)
        around_3 = around.mean(axis=0) if len(around) else behind.mean(axis=(0, 1))
        while _contrast(self.texture.colours.mean(axis=0) - around_3, is_grey) < LEAST_CONTRAST:
            self.texture.colours = _Texture(rng).colours
        picture = self.texture.drawn(rng, inside.shape)
        if self.dome or self.rim:
            depth_HW = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
            share_HW = depth_HW / max(float(depth_HW.max()), 1.0)
            picture = picture + (self.dome * share_HW + self.rim * (share_HW < 0.15))[..., None].astype(np.float32)
        return picture


# -- outlines: (N, 2) about the origin, x and y, about 1 away from it

Outline = Callable[[np.random.Generator, float], NDArray[np.float64]]


def _around(radii: NDArray[np.float64]) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]


def _ellipse(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    return _around(np.ones(64))


def _blob(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """A circle with waves."""
    angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    radii = np.ones(96)
    for waves in range(2, 8):
        radii += rng.normal(0, 0.5 * roughness / waves) * np.cos(waves * angles + rng.uniform(0, 2 * np.pi))
    return _around(np.clip(radii, 0.25, 2.0))


def _polygon(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    corners = int(rng.integers(3, 9))
    return _around(rng.uniform(1 - 0.6 * roughness, 1, corners))


def _box(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """A superellipse: from a rectangle to nearly a circle (Lame, 1818)."""
    angles = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    power = 2 / (2.5 + 12 * (1 - roughness))
    x, y = np.cos(angles), np.sin(angles)
    return np.stack([np.sign(x) * np.abs(x) ** power, np.sign(y) * np.abs(y) ** power], axis=1)


def _star(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    points = int(rng.integers(4, 9))
    radii = np.ones(2 * points)
    radii[1::2] = rng.uniform(0.3, 0.8)
    return _around(radii)


def _rod(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """A bent band, 0.15 to 0.5 thick."""
    along = np.linspace(-1.4, 1.4, 32)
    bend = rng.normal(0, 0.6 * roughness)
    middle = np.stack([along, bend * (along**2 - 0.6)], axis=1)
    ahead = np.gradient(middle, axis=0)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.linalg.norm(ahead, axis=1, keepdims=True)
    half = rng.uniform(0.15, 0.5) / 2
    return np.concatenate([middle + half * across, (middle - half * across)[::-1]])


_SHAPES: tuple[Outline, ...] = (_ellipse, _blob, _polygon, _box, _star, _rod)
_SHARES = (0.25, 0.3, 0.15, 0.15, 0.05, 0.1)


def _filled(corners_N2: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """The share of each pixel that lies inside, 0..1."""
    fine = np.zeros((size[0] * _FINER, size[1] * _FINER), np.uint8)
    fixed = np.round((corners_N2 * _FINER - 0.5) * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(fine, [fixed[:, None]], 255, shift=_SHIFT)
    return np.asarray(cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA) / 255, np.float32)


def _grown(inside: NDArray[np.bool_], pixels: int = 2) -> NDArray[np.bool_]:
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(inside.astype(np.uint8), kernel).astype(bool)


# -- colours


class _Texture:
    """Two colours and what lies between them."""

    def __init__(self, rng: np.random.Generator) -> None:
        main = rng.uniform(10, 245, 3) if rng.random() < 0.7 else np.full(3, rng.uniform(10, 245))
        self.colours = np.clip(np.stack([main, main + rng.normal(0, 28, 3)]), 0, 255)
        self.kind = str(rng.choice(["even", "slope", "clouds", "stripes", "grain"], p=[0.3, 0.2, 0.2, 0.15, 0.15]))
        self.grain_px = float(np.exp(rng.uniform(np.log(1.5), np.log(24))))

    def drawn(self, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
        share_HW = self._shares(rng, size).astype(np.float32)
        first, second = self.colours.astype(np.float32)
        return first + share_HW[..., None] * (second - first)

    def _shares(self, rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
        """Of the second colour, 0..1."""
        if self.kind == "even":
            return np.zeros(size, np.float32)
        if self.kind in ("slope", "stripes"):
            ys, xs = np.mgrid[: size[0], : size[1]].astype(np.float32)
            turn = rng.uniform(0, 2 * np.pi)
            along = np.cos(turn) * xs + np.sin(turn) * ys
            if self.kind == "slope":
                return np.asarray((along - along.min()) / (np.ptp(along) + 1e-6), np.float32)
            return np.asarray(0.5 + 0.5 * np.sin(2 * np.pi * along / (2 * self.grain_px)), np.float32)
        return clouds(rng, size, self.grain_px * (4 if self.kind == "clouds" else 1))


def _grey(picture: Picture) -> Picture:
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)


def _contrast(difference_3: NDArray[np.floating], is_grey: bool) -> float:
    return float(abs(difference_3.mean()) if is_grey else np.abs(difference_3).max())


def clouds(rng: np.random.Generator, size: tuple[int, int], grain_px: float) -> NDArray[np.float32]:
    """Smooth noise of that grain and half of it, 0..1."""
    noise = np.zeros(size, np.float32)
    for grain, weight in ((grain_px, 1.0), (grain_px / 2, 0.5)):
        few = (max(2, round(size[0] / grain)), max(2, round(size[1] / grain)))
        noise += weight * cv2.resize(rng.random(few, np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    low, high = float(noise.min()), float(noise.max())
    return (noise - low) / max(high - low, 1e-6)


def _ground(
    rng: np.random.Generator, size: tuple[int, int], photos: Sequence[Callable[[], NDArray[np.uint8]]]
) -> Picture:
    if photos and rng.random() < 0.4:
        photo = photos[int(rng.integers(len(photos)))]()
        scale = max(size[0] / photo.shape[0], size[1] / photo.shape[1])
        wanted = (max(size[1], round(photo.shape[1] * scale)), max(size[0], round(photo.shape[0] * scale)))
        larger = cv2.resize(photo, wanted, interpolation=cv2.INTER_AREA)
        y, x = (int(rng.integers(0, have - want + 1)) for have, want in zip(larger.shape, size, strict=False))
        return larger[y : y + size[0], x : x + size[1]].astype(np.float32)
    return _Texture(rng).drawn(rng, size)


def _seen(rng: np.random.Generator, canvas: Picture) -> NDArray[np.uint8]:
    """As a camera or a microscope would have it: uneven light, blur, noise."""
    if rng.random() < 0.4:
        light_HW = clouds(rng, canvas.shape[:2], max(canvas.shape) / 2)
        canvas = canvas * (1 - rng.uniform(0, 0.5) * light_HW)[..., None]
    if rng.random() < 0.5:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 1.6)), np.float32)
    noise = rng.normal(0, rng.uniform(0, 10), (*canvas.shape[:2], 1 if rng.random() < 0.5 else 3))
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def numbered(owner_HW: NDArray[np.uint16], whole_px: list[int]) -> NDArray[np.uint16]:
    """What is hidden for the most part is nobody's; the others are numbered anew, 1..N without gaps.

    Args:
        whole_px: of each number, 0 included, how many pixels it would have if nothing hid it.
    """
    visible = np.bincount(owner_HW.ravel(), minlength=len(whole_px))
    stays = (visible >= LEAST_VISIBLE_PX) & (visible >= LEAST_VISIBLE_SHARE * np.array(whole_px))
    stays[0] = False
    anew = np.where(stays, np.cumsum(stays), 0).astype(np.uint16)
    numbered: NDArray[np.uint16] = anew[owner_HW]
    return numbered
