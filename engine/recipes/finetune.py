"""A live checkpoint, encoder included, for photos far from what it was trained on."""

from engine.training.run import Phase, Run


def finetune(*, seed: int = 0, steps: int | None = None) -> Run:
    """Small rates, smaller still towards the pixels: what edges look like does not change with the domain.

    The encoder's hash changes: photos have to be embedded again.
    """
    return Run(
        name="finetune",
        architecture="maskloop_tiny",
        starts_live=True,
        learn=("image_encoder", "prompt_encoder", "mask_decoder"),
        learning_rate=1e-4,
        seed=seed,
        warm_up_steps=50,
        layer_decay=0.8,
        average=0.99,
        save_every_steps=50,
        validate_every_steps=100,
        phases=(Phase(steps=steps or 600, side=384, photos=4, objects=4, corrections=3, scale=(0.5, 1.5)),),
    )
