"""Run lengths, boxes and IoU of masks. NumPy and pycocotools only, so a web process may use it."""

from engine.masks.drawn import Masks
from engine.masks.foreign import from_coco, from_label_map
from engine.masks.rle import MAX_SIDE_PX, Rle, area, bbox, check, decode, decode_box, encode, iou
from engine.masks.sizes import SIZES, size_class

__all__ = [
    "MAX_SIDE_PX",
    "SIZES",
    "Masks",
    "Rle",
    "area",
    "bbox",
    "check",
    "decode",
    "decode_box",
    "encode",
    "from_coco",
    "from_label_map",
    "iou",
    "size_class",
]
