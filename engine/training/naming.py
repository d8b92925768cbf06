"""Objects that are asked for by a text first -- B objects, D the text encoder's width.

The text is the first prompt, alone; corrections by points follow, and it stays with them (SAM-p D.5).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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


def said_first(text_BD: NDArray[np.float32] | None, share: float, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Which objects are asked for by their text: `share` of those that have one, (B,); None: none is.

    Nothing is drawn where no object can be, so runs without text are what they were.
    """
    if text_BD is None or share == 0:
        return None
    said_B = text_BD.any(axis=1) & (rng.random(len(text_BD)) < share)
    return said_B if said_B.any() else None
