"""A big model's embeddings into a small encoder (MobileSAM, sections 3 and 4: "decoupled" distillation)."""

from dataclasses import replace

from engine.training.run import Phase, Run


def distill(*, seed: int = 0, steps: int | None = None) -> Run:
    """Photos need no labels; the teacher runs beside the student. Wants `--teacher`.

    MobileSAM's schedule was 8 photos a step and 50k to 100k steps on 1% of SA-1B; the rate and the jitter are ours.
    """
    return Run(
        name="distill",
        architecture="maskloop_tiny",
        lesson="embeddings",
        learn=("image_encoder",),
        learning_rate=1e-3,
        seed=seed,
        warm_up_steps=500,
        weight_decay=0.01,
        precision="bfloat16",
        save_every_steps=200,
        phases=(Phase(steps=steps or 50_000, side=384, photos=8, objects=0, decode=False, scale=(0.7, 1.25)),),
    )


def debug_distill(*, seed: int = 0, steps: int | None = None) -> Run:
    """`distill` into the smallest model: seconds."""
    few = replace(distill().phases[0], steps=steps or 6, side=64, photos=2)
    return replace(
        distill(seed=seed),
        name="debug_distill",
        architecture="maskloop_debug",
        precision="float32",
        warm_up_steps=2,
        save_every_steps=2,
        log_every_steps=1,
        phases=(few,),
    )
