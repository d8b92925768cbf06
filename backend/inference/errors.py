"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class EmbeddingNotReady(DomainError):
    """The page waits, and asks again."""

    code: ClassVar[str] = "embedding_not_ready"
    status: ClassVar[int] = 202


class EmbeddingFailed(DomainError):
    code: ClassVar[str] = "embedding_failed"


class EmbeddingAway(Exception):
    """No refusal: a fault of ours keeps it from being made, the photo waits on. Whoever waits for it has had pauses already."""


class RegionRefused(DomainError):
    """Not a part of the photo that could be looked at closer."""

    code: ClassVar[str] = "region_refused"
    status: ClassVar[int] = 400


class TooManyRegions(DomainError):
    code: ClassVar[str] = "too_many_regions"


class TextNotTaken(DomainError):
    """The page offers no field for words where the checkpoint's `text` is false."""

    code: ClassVar[str] = "checkpoint_without_text"


class TextTokenNotReady(DomainError):
    """The page asks again in a moment."""

    code: ClassVar[str] = "text_token_not_ready"
    status: ClassVar[int] = 202


class TextTokenFailed(DomainError):
    code: ClassVar[str] = "text_token_failed"


class DecodingFailed(DomainError):
    code: ClassVar[str] = "decoding_failed"


class DecodingTooSlow(DomainError):
    """The page asks again."""

    code: ClassVar[str] = "decoding_too_slow"
    status: ClassVar[int] = 503
