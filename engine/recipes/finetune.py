"""A live checkpoint, encoder included, for photos far from what it was trained on."""

from engine.training.run import Phase, Run


def finetune(*, seed: int = 0, steps: int | None = None) -> Run:
    """Minutes on a CPU: many photos, few objects of each, and the affinity lesson, which teaches the encoder at a
    hundredth of the decoder's cost. Whole photos last: what is learnt on windows alone is worse on them. The comparison is in
    docs/default-model.md.

    The encoder's hash changes: photos have to be embedded again.
    """
    total = steps or 200
    windows = round(total * 0.6)
    return Run(
        name="finetune",
        architecture="maskloop_tiny",
        starts_live=True,
        learn=("image_encoder", "prompt_encoder", "mask_decoder"),
        learning_rate=8e-4,
        seed=seed,
        warm_up_steps=20,
        layer_decay=0.9,
        average=0.98,
        save_every_steps=25,
        log_every_steps=2,
        validate_every_steps=100,
        phases=tuple(
            Phase(
                steps=count,
                side=side,
                photos=photos,
                objects=3,
                corrections=corrections,
                affinity=0.2,
                box_share=0.3,
                middle_share=0.7,
                scale=(0.7, 1.4),
            )
            for count, side, photos, corrections in ((windows, 256, 8, 1), (total - windows, 384, 4, 2))
        ),
    )
