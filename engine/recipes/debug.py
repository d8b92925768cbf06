"""Everything that a run does, in seconds. It learns next to nothing."""

from dataclasses import replace

from engine.recipes.decoder import decoder
from engine.recipes.finetune import finetune
from engine.training.run import Phase, Run


def debug(*, seed: int = 0, steps: int | None = None) -> Run:
    """The smallest model from scratch."""
    return Run(
        name="debug",
        architecture="maskloop_debug",
        learn=("image_encoder", "prompt_encoder", "mask_decoder"),
        learning_rate=1e-3,
        seed=seed,
        warm_up_steps=2,
        save_every_steps=2,
        log_every_steps=1,
        phases=(Phase(steps=steps or 6, side=64, photos=2, objects=2, corrections=1, affinity=0.5),),
    )


def debug_decoder(*, seed: int = 0, steps: int | None = None) -> Run:
    """`decoder`, a few steps of it: the loop's plumbing, not its learning."""
    few = replace(decoder().phases[0], steps=steps or 4, photos=1, objects=2, corrections=1)
    return replace(decoder(seed=seed), name="debug_decoder", phases=(few,), save_every_steps=1, log_every_steps=1)


def debug_finetune(*, seed: int = 0, steps: int | None = None) -> Run:
    """`finetune`, likewise."""
    few = replace(finetune().phases[0], steps=steps or 2, photos=2, objects=2, corrections=1)
    return replace(finetune(seed=seed), name="debug_finetune", phases=(few,), save_every_steps=1, log_every_steps=1)
