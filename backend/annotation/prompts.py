"""The shape of stored prompts: what a person said about an object, in order.

    {"kind": "point", "at": [x, y], "label": 1 or 0}
    {"kind": "box", "box": [x0, y0, x1, y1]}
    {"kind": "text", "words": "a wheel"}

Coordinates are in pixels of the upright photo.
"""

from typing import Any

from rest_framework import serializers

from backend.common.fields import ShortList

MAX_PROMPTS = 1000  # of a stored mask: every click that was ever made on it
MAX_ASKED = 200  # that the model is to answer at once: its work grows with their square
MAX_WORDS = 200  # letters
FIELDS = {"point": ("at", "label"), "box": ("box",), "text": ("words",)}


class PromptJson(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["point", "box", "text"])
    at = ShortList(child=serializers.FloatField(), min_length=2, max_length=2, required=False)
    label = serializers.ChoiceField(choices=[0, 1], required=False)  # type: ignore[assignment]
    box = ShortList(child=serializers.FloatField(), min_length=4, max_length=4, required=False)
    words = serializers.CharField(max_length=MAX_WORDS, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = {"kind", *FIELDS[attrs["kind"]]}
        if set(attrs) != wanted:
            raise serializers.ValidationError(f"a {attrs['kind']} has {', '.join(sorted(wanted))}")
        return attrs
