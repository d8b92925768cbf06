"""What the verbs share: options, and where checkpoints, names and pictures come from and go to."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import find_checkpoint
from engine.errors import DataInvalid, PromptInvalid
from engine.model.known import architecture_of

if TYPE_CHECKING:
    from engine.inference.predictor import Predictor
    from engine.masks import Rle
    from engine.model.build import Sam

DEFAULT_NAME = "maskloop_tiny"
#: What `ArgumentParser.add_subparsers` returns.
Verbs = Any


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def share(text: str) -> float:
    """For argparse: of photos, without none and all of them."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return value


def common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--checkpoint", default=DEFAULT_NAME, metavar="FILE_OR_NAME", help="names: see `checkpoints`")
    common.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1")
    common.add_argument("--threads", type=_positive, help="of the CPU; default: all")
    return common


def predictor(options: argparse.Namespace, *, stability_fallback: bool = False) -> "Predictor":
    import torch

    from engine.inference.predictor import Predictor
    from engine.model.checkpoint import load_checkpoint

    if options.threads:
        torch.set_num_threads(options.threads)
    model: Sam = load_checkpoint(find_checkpoint(options.checkpoint), architecture_of(options.checkpoint))
    try:
        return Predictor(model.to(options.device), stability_fallback=stability_fallback)
    except (RuntimeError, AssertionError) as error:
        raise PromptInvalid(f"the device {options.device!r} cannot be used: {str(error).splitlines()[0]}") from error


def names(path: Path) -> frozenset[str]:
    """
    Raises:
        DataInvalid: it is neither a json list of names nor one a line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        listed = json.loads(text) if text.lstrip().startswith("[") else map(str.strip, text.splitlines())
    except ValueError as error:  # no UTF-8, or no json
        raise DataInvalid(f"{path} is neither a json list of names nor one a line: {error}") from error
    return frozenset(filter(None, map(str, listed)))


def numbers(text: str, counts: tuple[int, ...], wanted: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise PromptInvalid(f"{text!r} is not {wanted}")
    return numbers


def annotation(
    number: int, rle: "Rle", predicted_iou: float, stability: float, points: list[Any], crop: Any = None
) -> dict[str, Any]:
    """One of SA-1B's annotations. Boxes are (x, y, width, height), as COCO's `toBbox` gives them."""
    from engine.masks import area, bbox

    x0, y0, x1, y1 = bbox(rle)
    height, width = rle["size"]
    left, top, right, bottom = crop or (0, 0, width, height)
    return {
        "id": number,
        "segmentation": rle,
        "bbox": [float(v) for v in (x0, y0, x1 - x0, y1 - y0)],
        "area": area(rle),
        "predicted_iou": predicted_iou,
        "stability_score": stability,
        "crop_box": [float(v) for v in (left, top, right - left, bottom - top)],
        "point_coords": [[float(v) for v in point] for point in points],
    }


def write_photo(
    folder: Path, path: Path, rgb: Any, annotations: list[dict[str, Any]], *, number: int = 0, shown: int | None = None
) -> None:
    """ID.json as in SA-1B, and ID_overlay.jpg to look at.

    Args:
        number: of the photo, among those of this call.
        shown: so many of the masks are drawn; None: all. One at a time: a thousand would not fit in memory.
    """
    import colorsys

    import cv2
    import numpy as np

    from engine.masks import decode
    from engine.model.checkpoint import write_whole

    height, width = rgb.shape[:2]
    image = {"image_id": number, "width": width, "height": height, "file_name": path.name}
    write_whole(folder / f"{path.stem}.json", json.dumps({"image": image, "annotations": annotations}).encode())
    overlay = rgb.astype(np.float32)
    largest_first = sorted(annotations[:shown], key=lambda one: -one["area"])
    for one in largest_first:
        colour = np.array(colorsys.hsv_to_rgb(one["id"] * 0.381966 % 1, 0.75, 1.0)) * 255
        mask = decode(one["segmentation"])
        overlay[mask] = 0.5 * overlay[mask] + 0.5 * colour
    drawn = cv2.cvtColor(overlay.astype(np.uint8), cv2.COLOR_RGB2BGR)
    for one in largest_first:
        mask = decode(one["segmentation"])
        edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, edges, -1, (255, 255, 255), 1)
    write_whole(folder / f"{path.stem}_overlay.jpg", cv2.imencode(".jpg", drawn)[1].tobytes())
