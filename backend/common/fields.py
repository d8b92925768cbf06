"""Fields of forms that hold against what nobody's page sends."""

from typing import Any

from rest_framework import serializers


class ShortList(serializers.ListField):
    """A list whose length is looked at before its entries are: REST framework looks at each of a million first."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)
        self.most = max_length

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > self.most:
            self.fail("max_length", max_length=self.most)
        return super().to_internal_value(data)
