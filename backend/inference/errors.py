"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class EmbeddingNotReady(DomainError):
    """The page waits, and asks again."""

    code: ClassVar[str] = "embedding_not_ready"
    status: ClassVar[int] = 202


class EmbeddingFailed(DomainError):
    code: ClassVar[str] = "embedding_failed"
