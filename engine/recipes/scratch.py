"""The default model, from nothing."""

from engine.training.trainer import Phase, Run


def scratch(*, seed: int = 0, steps: int | None = None) -> Run:
    """First the encoder alone learns what belongs together, then both learn to answer, at last at full size.

    Args:
        steps: in all; the phases keep their proportions.
    """
    total = steps or 2200
    alone, small, full = round(total * 0.45), round(total * 0.47), round(total * 0.08)
    return Run(
        name="scratch",
        architecture="maskloop_tiny",
        learn=("image_encoder", "prompt_encoder", "mask_decoder"),
        learning_rate=1e-3,
        seed=seed,
        phases=(
            Phase(steps=alone, side=256, photos=8, objects=10, decode=False, affinity=1.0),
            Phase(steps=small, side=256, photos=6, objects=4, corrections=2, affinity=0.5),
            Phase(steps=full, side=512, photos=3, objects=4, corrections=2, affinity=0.2),
        ),
    )
