"""Everything that a run does, in seconds, on the smallest model. It learns next to nothing."""

from engine.training.trainer import Phase, Run


def debug(*, seed: int = 0, steps: int | None = None) -> Run:
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
