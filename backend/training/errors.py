"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class NothingToTrainOn(DomainError):
    code: ClassVar[str] = "nothing_to_train_on"


class TrainingRunUnfinished(DomainError):
    code: ClassVar[str] = "training_run_unfinished"


class RecipeUnknown(DomainError):
    code: ClassVar[str] = "recipe_unknown"
    status: ClassVar[int] = 400


class PolicyInvalid(DomainError):
    code: ClassVar[str] = "policy_invalid"
    status: ClassVar[int] = 400


class NothingToCompare(DomainError):
    code: ClassVar[str] = "nothing_to_compare"
