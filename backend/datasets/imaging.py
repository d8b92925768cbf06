"""Bytes from outside become a photo, or a sentence that says why not.

Everything is decoded once, within limits, before anything is stored. What a browser shows as it is (upright, 8 bits, RGB or
grey, JPEG or PNG) is shown as it is; of everything else a copy is made that is that.
"""

import io
import threading
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
#: A decoded photo of the largest size takes a gigabyte, twice over while it is turned: so many are decoded at once.
_DECODING = threading.BoundedSemaphore(2)
ROWS_AT_ONCE = 256
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
    with _DECODING:
        return _read(content, name)


def _read(content: bytes, name: str) -> Photo:
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
    side = (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX)
    is_small = max(upright.size) <= THUMBNAIL_SIDE_PX
    small = upright if is_small else ImageOps.contain(upright, side, Pillow.Resampling.LANCZOS)
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
        picture = Pillow.fromarray(_to_eight_bits(np.asarray(picture)))
    if "A" in picture.getbands() or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Pillow.new("RGB", clear.size, "white")
        picture.paste(clear, mask=clear.getchannel("A"))
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _to_eight_bits(values_HW: np.ndarray) -> np.ndarray:
    """0..65535 to 0..255, rounded; some rows at a time, since each step of the whole would take another gigabyte."""
    small_HW = np.empty(values_HW.shape, np.uint8)
    for top in range(0, len(values_HW), ROWS_AT_ONCE):
        part_hW = np.clip(values_HW[top : top + ROWS_AT_ONCE].astype(np.int64), 0, 65535)
        small_HW[top : top + ROWS_AT_ONCE] = (part_hW + 128) // 257
    return small_HW


def _encode(picture: Pillow.Image, media_type: str, quality: int = 95) -> bytes:
    out = io.BytesIO()
    if media_type == "image/jpeg":
        picture.save(out, "JPEG", quality=quality)
    else:
        picture.save(out, "PNG", compress_level=3)
    return out.getvalue()
