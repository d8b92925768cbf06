"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class CheckpointRefused(DomainError):
    code: ClassVar[str] = "checkpoint_refused"
    status: ClassVar[int] = 400


class NothingToRollBackTo(DomainError):
    code: ClassVar[str] = "nothing_to_roll_back_to"


class DecoderNotReady(DomainError):
    """The page asks again in a moment."""

    code: ClassVar[str] = "decoder_not_ready"
    status: ClassVar[int] = 202
