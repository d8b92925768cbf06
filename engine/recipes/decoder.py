"""The loop's usual run: prompt encoder and mask decoder on stored embeddings, minutes on a CPU."""

from engine.training.run import Phase, Run


def decoder(*, seed: int = 0, steps: int | None = None) -> Run:
    return Run(
        name="decoder",
        architecture="maskloop_tiny",
        starts_live=True,
        learn=("prompt_encoder", "mask_decoder"),
        learning_rate=1e-4,
        seed=seed,
        warm_up_steps=20,
        average=0.99,
        save_every_steps=20,
        log_every_steps=2,
        phases=(Phase(steps=steps or 150, side=384, photos=2, objects=4, corrections=3),),
    )
