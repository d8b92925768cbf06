"""Objects that are asked for by a text first -- B objects, S of them asked so, D the text encoder's width, C channels.

The text is the first prompt, alone; corrections by points follow, and it stays with them (SAM-p D.5).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.batches import Batch
from engine.data.records import Record
from engine.data.texts import with_crops, with_names
from engine.model.build import Sam
from engine.model.text import ClipText, TextProjection, check_encoder, text_encoder


def prepare_text(
    model: Sam, records: Sequence[Record], spec: str, *, device: str = "cpu", seed: int = 0
) -> list[Record]:
    """Let a model take texts, and give the objects theirs: names, or with CLIP pictures of them.

    A model that takes texts already keeps its projection.

    Args:
        spec: see `engine.model.text.text_encoder`.
    Raises:
        TextUnavailable: see `text_encoder`.
        CheckpointInvalid: the model's projection was trained on another text encoder.
        DataInvalid: not one object has a text.
    """
    encoder = text_encoder(spec, device=device)
    if model.architecture.text is None:
        model.take_text(
            TextProjection.Config(width=encoder.width, encoder=encoder.name, fingerprint=encoder.fingerprint)
        )
    else:
        check_encoder(encoder, model.architecture.text)
    if isinstance(encoder, ClipText):
        return with_crops(records, encoder, seed=seed)
    return with_names(records, encoder)


class Said(NamedTuple):
    """Who is asked for by a text, (B,), and their tokens for every pass, (S, 1, C); None: nobody is."""

    first_B: NDArray[np.bool_]
    token_S1C: Tensor | None


def said_first(sized: Sam, batch: Batch, share: float, rng: np.random.Generator) -> Said:
    """Draw who is asked for by a text: `share` of those that have one.

    Nothing is drawn where no object can be, so runs without text are what they were.
    """
    nobody = Said(np.zeros(len(batch.truth), bool), None)
    if batch.text is None or share == 0:
        return nobody
    first_B = batch.text.any(axis=1) & (rng.random(len(batch.text)) < share)
    if not first_B.any():
        return nobody
    return Said(first_B, sized.text_tokens(torch.from_numpy(batch.text[first_B]).to(sized.pixel_mean.device)))
