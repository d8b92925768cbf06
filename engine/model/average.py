"""One model out of two of one lineage."""

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import CheckpointInvalid

if TYPE_CHECKING:
    from engine.model.build import Sam


def average(before: "Sam", after: "Sam", share: float = 0.5) -> "Sam":
    """`before` with every weight moved this share of the way to `after`'s.

    Where one was trained from the other, what lies between them often does better than either: it keeps what training on
    something narrower forgets (Wortsman et al., Robust fine-tuning of zero-shot models, 2022, equation 1). A text projection
    that only one of them has is taken as it is: the other has nothing to tell of it.

    Args:
        before: is changed.
        share: 0..1; 0 leaves it as it is, 1 is `after`.
    Raises:
        CheckpointInvalid: they are of different architectures, or of different text encoders.
    """
    if replace(before.architecture, text=None) != replace(after.architecture, text=None):
        raise CheckpointInvalid("only models of one architecture have a mean")
    if not before.architecture.text:
        before.architecture, before.text_projection = after.architecture, after.text_projection
    elif after.architecture.text not in (None, before.architecture.text):
        raise CheckpointInvalid("only models of one text encoder have a mean")
    others = after.state_dict()
    weights = {
        name: tensor.lerp(others.get(name, tensor).to(tensor), share) if tensor.is_floating_point() else others[name]
        for name, tensor in before.state_dict().items()
    }
    before.load_state_dict(weights)
    return before
