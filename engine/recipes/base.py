"""The published recipes (Segment Anything, appendix A): `base` for the ViT-B, and what the ViT-L and the ViT-H had instead."""

from dataclasses import replace

from engine.training.run import Phase, Run


def base(*, seed: int = 0, steps: int | None = None) -> Run:
    """For SA-1B and many GPUs: the paper's batch is 128 photos, one a GPU; fewer processes make it up with `--accumulate`.

    Published: optimiser, rates, warm-up, layer decay, drop path, dropout in the decoder, 64 masks a photo, the annotator's 11
    passes, losses, no augmentation, no mask over 90% of the photo. Published for the ViT-H alone, and taken over in proportion:
    when the rate drops. Ours: bfloat16, the clipping of gradients, and no object under 16 pixels of the window (a cell of the
    logits). Not here: the MAE weights that the encoder began with (`--init`).
    """
    return Run(
        name="base",
        architecture="sam_vit_b",
        learn=("image_encoder", "prompt_encoder", "mask_decoder"),
        learning_rate=8e-4,
        seed=seed,
        warm_up_steps=250,
        drops=(60_000 / 90_000, 86_666 / 90_000),
        layer_decay=0.6,
        weight_decay=0.1,
        drop_path=0.6,
        dropout=0.1,
        iou_of="chosen",
        average=0.0,
        precision="bfloat16",
        augment=False,
        largest_share=0.9,
        min_object_side=1 / 256,
        save_every_steps=1000,
        log_every_steps=20,
        validate_every_steps=5000,
        phases=(
            Phase(
                steps=steps or 180_000,
                side=1024,
                photos=1,
                objects=64,
                annotator="published",
                corrections=8,
                middle_share=0.0,
                single_first=0.0,
                scale=(1.0, 1.0),
            ),
        ),
    )


def base_vit_l(*, seed: int = 0, steps: int | None = None) -> Run:
    """`base` for the ViT-L: as many photos and steps."""
    run = base(seed=seed, steps=steps)
    return replace(run, name="base_vit_l", architecture="sam_vit_l", learning_rate=4e-4, layer_decay=0.8, drop_path=0.4)


def base_vit_h(*, seed: int = 0, steps: int | None = None) -> Run:
    """`base` for the ViT-H: half the steps, with 256 photos in each."""
    run = base(seed=seed, steps=steps or 90_000)
    return replace(run, name="base_vit_h", architecture="sam_vit_h", layer_decay=0.8, drop_path=0.4)


def base_large_jitter(*, seed: int = 0, steps: int | None = None) -> Run:
    """`base` for the engine's first two stages, and other small data: photos shown at 0.1 to 2 times their size, drawn
    uniformly."""
    run = base(seed=seed, steps=steps)
    jittered = replace(run.phases[0], scale=(0.1, 2.0), scale_drawn="uniform")
    return replace(run, name="base_large_jitter", phases=(jittered,))
