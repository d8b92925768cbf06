"""What the engine's child reads: a folder with `manifest.jsonl` and stored embeddings, or photos."""

import json
import os
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from backend.annotation.models import CHECKED_ORIGINS, Mask, Origin
from backend.common.storage import get_storage
from backend.datasets.models import Image
from backend.inference.services import embedding_ready
from engine.api import HUMAN_WEIGHT


def write_manifest(
    folder: Path,
    photos: Iterable[tuple[Image, list[Mask]]],
    *,
    encoder_hash: str | None,
    human_weight: float = HUMAN_WEIGHT,
    complete: Container[UUID] = frozenset(),
) -> None:
    """Put embeddings, or photos, beside a manifest of the masks; embeddings that are missing are made.

    Args:
        encoder_hash: of the embeddings; None: the photos themselves, for whoever learns the encoder.
        complete: ids of photos on which nothing is left to label: what has no mask there is background.
    Raises:
        EmbeddingFailed: a photo cannot be embedded.
        EmbeddingAway: not now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    storage = get_storage()
    unfinished = folder / f"manifest.jsonl.{os.getpid()}.part"
    with open(unfinished, "w", encoding="utf-8") as manifest:
        for image, masks in photos:
            name = f"{image.content_hash}.{'photo' if encoder_hash is None else 'f16'}"
            if not (folder / name).exists():
                key = image.display_key
                if encoder_hash is not None:
                    key = embedding_ready(image=image, encoder_hash=encoder_hash).storage_key
                # A worker may die in the middle, and half an embedding looks like one.
                copied = folder / f"{name}.{os.getpid()}.part"
                storage.place(key, copied)
                copied.rename(folder / name)
            entry = {
                "id": str(image.id),
                "group": image.group,
                "image": name if encoder_hash is None else None,
                "embedding": None if encoder_hash is None else name,
                "size": list(image.size),
                "masks": [{"size": list(image.size), "counts": mask.counts} for mask in masks],
                "weights": [human_weight if mask.origin in CHECKED_ORIGINS else 1.0 for mask in masks],
                "picks": [_pick(mask) for mask in masks],
                "complete": image.id in complete or None,
            }
            manifest.write(json.dumps(entry) + "\n")
    unfinished.rename(folder / "manifest.jsonl")


def _pick(mask: Mask) -> dict[str, Any] | None:
    """Which of the three masks a person took for the first click or box: from this the model learns what is meant."""
    if mask.choice is None or mask.origin != Origin.ASSISTED or not mask.prompts:
        return None
    prompt = mask.prompts[0]  # others may have refined what was picked
    if prompt["kind"] == "point" and prompt["label"] == 1:
        return {"prompt": prompt["at"], "token": mask.choice}
    return {"prompt": prompt["box"], "token": mask.choice} if prompt["kind"] == "box" else None
