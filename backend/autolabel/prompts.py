"""What the model was asked where a detector's box led it, as masks keep it."""

from typing import Any


def prompts_of(one: Any) -> list[dict[str, Any]]:
    """
    Args:
        one: an `engine.detector.quality.BoxMask`.
    """
    if one.is_click:
        return [{"kind": "point", "at": [round(edge, 2) for edge in one.prompt_point], "label": 1}]
    return [{"kind": "box", "box": [round(edge, 2) for edge in one.prompt_box]}]
