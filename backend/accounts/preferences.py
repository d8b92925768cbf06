"""The shape of what a person prefers. All of it is optional: what is not there is as usual.

    {"keys": {"undo": ["Ctrl+Z"]}, "opacity": 0.4, "hover_preview": false, "language": "de"}

`keys` names commands of the page, and holds only those that differ from the page's own.
"""

import json
from typing import Any

from rest_framework import serializers

from backend.accounts.models import User

MAX_BYTES = 16_384
MAX_COMMANDS = 200
MAX_CHORDS = 4


class PreferencesJson(serializers.Serializer):
    keys = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=40), max_length=MAX_CHORDS),
        allow_null=True,
        required=False,
        help_text="chords of a command, as the page writes them: Ctrl+Shift+Z",
    )
    opacity = serializers.FloatField(min_value=0, max_value=1, allow_null=True, required=False)
    hover_preview = serializers.BooleanField(allow_null=True, required=False)
    language = serializers.RegexField(r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$", allow_null=True, required=False)

    def validate_keys(self, keys: dict[str, list[str]] | None) -> dict[str, list[str]] | None:
        if keys is not None and (len(keys) > MAX_COMMANDS or any(len(command) > 64 for command in keys)):
            raise serializers.ValidationError(f"at most {MAX_COMMANDS} commands, with names of at most 64 letters")
        return keys

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(sorted(unknown), "there is no such preference"))
        if len(json.dumps(attrs)) > MAX_BYTES:
            raise serializers.ValidationError(f"preferences take at most {MAX_BYTES} bytes")
        return attrs


def preferences_of(user: User) -> dict[str, Any]:
    """Only what differs from what is usual."""
    return dict(user.preferences)
