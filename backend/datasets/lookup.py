"""Finding a dataset by what a person types at a command line."""

from uuid import UUID

from django.core.management.base import CommandError

from backend.datasets.models import Dataset


def dataset_named(text: str) -> Dataset:
    """By id or by name.

    Raises:
        CommandError: there is none, or more than one of this name.
    """
    try:
        found = list(Dataset.objects.filter(id=UUID(text)))
    except ValueError:
        found = list(Dataset.objects.filter(name=text))
    if len(found) != 1:
        names = ", ".join(Dataset.objects.values_list("name", flat=True)) or "none"
        raise CommandError(f"{len(found)} datasets are called {text}; there are: {names}.")
    return found[0]
