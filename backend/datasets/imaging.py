"""Bytes from outside become a photo, or a sentence that says why not.

Everything is decoded once, within limits, before anything is stored. What a browser shows as it is (upright, 8 bits, RGB or
grey, JPEG or PNG) is shown as it is; of everything else a copy is made that is that.
"""

import io
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from backend.datasets.errors import PhotoRefused

# Opening decodes nothing; our own limit is checked right after, and says what is wrong.
Pillow.MAX_IMAGE_PIXELS = None

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
THUMBNAIL_SIDE_PX = 256
_EXIF_ORIENTATION = 0x0112
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True, slots=True)
class Photo:
    """Attributes:
    display: None where the original can be shown as it is.
    width, height: in pixels, upright.
    """

    display: bytes | None
    media_type: str
    thumbnail: bytes
    width: int
    height: int


def read_photo(content: bytes, name: str) -> Photo:
    """
    Raises:
        PhotoRefused: empty, no photo, of a format we do not take, too large, animated, or cut short.
    """
    if not content:
        raise PhotoRefused(f"{name} is empty.")
    try:
        picture = Pillow.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise PhotoRefused(f"{name} is not a photo: its content is none of {', '.join(FORMATS)}.") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoRefused(f"{name} cannot be read: {error}.") from error
    with picture:
        _check_size(picture, name)
        try:
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                raise PhotoRefused(
                    f"{name} is animated, or has {frames} pages; save the one that is meant as its own file."
                )
            as_it_is = (
                picture.format in ("JPEG", "PNG")
                and picture.mode in ("RGB", "L")
                and picture.getexif().get(_EXIF_ORIENTATION, 1) == 1
            )
            media_type = "image/jpeg" if picture.format == "JPEG" else "image/png"
            picture.load()
            upright = _to_rgb(ImageOps.exif_transpose(picture))
        except PhotoRefused:
            raise
        except Exception as error:  # readers of damaged files raise nearly anything
            raise PhotoRefused(f"{name} is damaged or cut short: {error}.") from error
    display = None
    if not as_it_is:
        media_type = "image/png" if picture.format in ("PNG", "TIFF", "BMP") else "image/jpeg"
        display = _encode(upright, media_type)
    small = upright.copy()
    small.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), Pillow.Resampling.LANCZOS)
    return Photo(display, media_type, _encode(small, "image/jpeg", quality=85), upright.width, upright.height)


def read_pixels(content: bytes) -> np.ndarray:
    """(height, width, 3) uint8 of a photo that `read_photo` took: what the model looks at."""
    with Pillow.open(io.BytesIO(content), formats=FORMATS) as picture:
        return np.asarray(_to_rgb(ImageOps.exif_transpose(picture)))


def _check_size(picture: Pillow.Image, name: str) -> None:
    pixels = picture.width * picture.height
    if pixels > settings.MAX_IMAGE_PIXELS:
        raise PhotoRefused(
            f"{name} has {picture.width} x {picture.height} px; at most {settings.MAX_IMAGE_PIXELS // 10**6} million are taken."
        )


def _to_rgb(picture: Pillow.Image) -> Pillow.Image:
    """8-bit RGB; 16 bits are scaled, not cut off; what shines through is put on white."""
    if picture.mode in _SIXTEEN_BITS:
        values = np.asarray(picture).astype(np.float64)
        picture = Pillow.fromarray((np.clip(values, 0, 65535) / 257).round().astype(np.uint8))
    if "A" in picture.getbands() or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        on_white = Pillow.new("RGBA", clear.size, "white")
        picture = Pillow.alpha_composite(on_white, clear)
    return picture.convert("RGB")


def _encode(picture: Pillow.Image, media_type: str, quality: int = 95) -> bytes:
    out = io.BytesIO()
    if media_type == "image/jpeg":
        picture.save(out, "JPEG", quality=quality)
    else:
        picture.save(out, "PNG", compress_level=3)
    return out.getvalue()
