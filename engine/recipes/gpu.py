"""The default model on one large GPU, from nothing."""

from dataclasses import replace

from engine.recipes.scratch import scratch
from engine.training.run import Phase, Run


def gpu(*, seed: int = 0, steps: int | None = None) -> Run:
    """`scratch`, `longer` and `larger` as one run: several times the steps, ten times the objects in each, one cosine over all.

    For `--on-device`: at these batches the clicks alone would take the CPU longer than the rest takes the card.

    Args:
        steps: in all; the phases keep their proportions.
    """
    total = steps or 30_000
    alone, small, middle = (round(total * share) for share in (0.01, 0.44, 0.3))
    full = total - alone - small - middle
    wide, usual = (0.24, 0.9), (0.47, 1.25)
    return replace(
        scratch(seed=seed),
        name="gpu",
        learning_rate=1e-3,
        warm_up_steps=min(500, total // 10),
        precision="bfloat16",
        average=0.9995,
        save_every_steps=2000,
        log_every_steps=50,
        validate_every_steps=2000,
        phases=(
            Phase(steps=alone, side=128, photos=128, objects=8, decode=False, affinity=1.0, scale=(0.24, 0.67)),
            Phase(
                steps=small, side=128, photos=96, objects=6, corrections=2, affinity=0.5, from_nothing=True, scale=wide
            ),
            Phase(
                steps=middle, side=256, photos=48, objects=6, corrections=3, affinity=0.2, box_share=0.35, scale=wide
            ),
            Phase(steps=full, side=384, photos=32, objects=6, corrections=4, affinity=0.1, box_share=0.35, scale=usual),
        ),
    )


def debug_gpu(*, seed: int = 0, steps: int | None = None) -> Run:
    """`gpu` on the smallest model: seconds, on a CPU."""
    total = steps or 6
    whole = gpu(seed=seed, steps=total)

    def few(phase: Phase, steps: int) -> Phase:
        return replace(phase, steps=steps, side=64, photos=3, objects=2, corrections=1)

    return replace(
        whole,
        name="debug_gpu",
        architecture="maskloop_debug",
        precision="float32",
        warm_up_steps=2,
        save_every_steps=2,
        log_every_steps=1,
        validate_every_steps=3,
        phases=(few(whole.phases[0], 1), few(whole.phases[1], 1), few(whole.phases[3], total - 2)),
    )
