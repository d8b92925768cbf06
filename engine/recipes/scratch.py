"""The default model, from nothing."""

from dataclasses import replace

from engine.training.run import Phase, Run


def scratch(*, seed: int = 0, steps: int | None = None) -> Run:
    """Small windows first: at 128 pixels a step sees sixteen times the objects that it could at full size.

    The published loss comes in when the features mean something; see `pass_loss`.

    Args:
        steps: in all; the phases keep their proportions.
    """
    total = steps or 3000
    alone, small, middle = (round(total * share) for share in (0.03, 0.62, 0.2))
    full = total - alone - small - middle
    return Run(
        name="scratch",
        architecture="maskloop_tiny",
        learn=("image_encoder", "prompt_encoder", "mask_decoder"),
        learning_rate=5e-4,
        seed=seed,
        phases=(
            Phase(steps=alone, side=128, photos=24, objects=8, decode=False, affinity=1.0, scale=(0.24, 0.67)),
            Phase(
                steps=small,
                side=128,
                photos=14,
                objects=4,
                corrections=1,
                affinity=0.5,
                from_nothing=True,
                scale=(0.24, 0.67),
            ),
            Phase(steps=middle, side=256, photos=6, objects=4, affinity=0.3, scale=(0.47, 1.2)),
            Phase(steps=full, side=384, photos=4, objects=4, affinity=0.2, scale=(0.7, 1.25)),
        ),
    )


def longer(*, seed: int = 1, steps: int | None = None) -> Run:
    """`scratch` once more, on weights that have been through it."""
    total = steps or 2720
    small, middle = (round(total * share) for share in (0.375, 0.37))
    full = total - small - middle
    first = scratch(seed=seed)
    return replace(
        first,
        name="longer",
        goes_on=True,
        phases=tuple(replace(p, steps=n) for p, n in zip(first.phases[1:], (small, middle, full), strict=True)),
    )


def larger(*, seed: int = 0, steps: int | None = None) -> Run:
    """On weights that have been through `longer`: larger windows, where what is small can be seen."""
    total = steps or 2600
    small, middle = (round(total * share) for share in (0.6, 0.28))
    full = total - small - middle
    return replace(
        scratch(seed=seed),
        name="larger",
        goes_on=True,
        learning_rate=6e-4,
        precision="bfloat16",
        phases=(
            Phase(steps=small, side=192, photos=8, objects=4, affinity=0.3, box_share=0.35, scale=(0.35, 0.9)),
            Phase(steps=middle, side=256, photos=6, objects=4, affinity=0.2, box_share=0.35, scale=(0.47, 1.2)),
            Phase(steps=full, side=384, photos=4, objects=4, affinity=0.1, box_share=0.35, scale=(0.7, 1.25)),
        ),
    )


def further(*, seed: int = 2, steps: int | None = None) -> Run:
    """On weights that have been through `larger`: hidden matrices by Muon, which learns more from each step; see
    docs/default-model.md."""
    total = steps or 1150
    small, middle = (round(total * share) for share in (0.5, 0.27))
    full = total - small - middle
    first, second, third = larger(seed=seed).phases
    return replace(
        scratch(seed=seed),
        name="further",
        goes_on=True,
        optimizer="muon",
        learning_rate=1e-3,
        phases=(
            replace(first, steps=small, corrections=1),
            replace(second, steps=middle),
            replace(third, steps=full, middle_share=0.7),
        ),
    )


def first_click(*, seed: int = 5, steps: int | None = None) -> Run:
    """On weights that have been through `further`: for most of it the first prompt alone, as a rule a click in the middle. What
    is learnt is which of the three masks it means. Some of what came before is forgotten: `engine average` brings it back; see
    docs/default-model.md."""
    total = steps or 1500
    windows, lone = (round(total * share) for share in (0.35, 0.35))
    before = further(seed=seed)
    _, middle, full = (replace(phase, single_first=0.25) for phase in before.phases)
    alone, larger_alone = (
        replace(phase, objects=3, corrections=0, middle_share=0.9, box_share=0.2) for phase in (middle, full)
    )
    return replace(
        before,
        name="first_click",
        phases=(
            replace(alone, steps=windows, photos=6, scale=(0.47, 1.4)),
            replace(larger_alone, steps=lone, photos=4, scale=(0.7, 1.4)),
            replace(full, steps=total - windows - lone, photos=3, middle_share=0.8, scale=(0.7, 1.4)),
        ),
    )
