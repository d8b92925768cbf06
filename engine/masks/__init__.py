"""Run lengths, boxes and IoU of masks. NumPy and pycocotools only, so a web process may use it."""

from engine.masks.foreign import each_of_label_map, from_coco, from_label_map
from engine.masks.rle import MAX_SIDE_PX, Rle, area, bbox, check, decode, decode_box, encode, iou
from engine.masks.sizes import SIZES, size_class

__all__ = [
    "MAX_SIDE_PX",
    "SIZES",
    "Rle",
    "area",
    "bbox",
    "check",
    "decode",
    "decode_box",
    "each_of_label_map",
    "encode",
    "from_coco",
    "from_label_map",
    "iou",
    "size_class",
]
