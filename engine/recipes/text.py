"""Text prompts, for a checkpoint that has learnt points and boxes."""

from dataclasses import replace

from engine.training.run import Phase, Run


def text(*, seed: int = 0, steps: int | None = None) -> Run:
    """Objects are asked for by name, or with CLIP by a picture of themselves, and by points and boxes as before: half of each,
    so that nothing is forgotten. The image encoder stays as it is, and so do all embeddings.

    Objects without a text take part by points and boxes. Give `--text-encoder` and a checkpoint to begin with.
    """
    return Run(
        name="text",
        architecture="maskloop_tiny",
        starts_live=True,
        learn=("prompt_encoder", "mask_decoder", "text_projection"),
        learning_rate=2e-4,
        seed=seed,
        warm_up_steps=50,
        phases=(
            Phase(steps=steps or 1500, side=384, photos=4, objects=4, corrections=2, text_share=0.5, scale=(0.7, 1.25)),
        ),
    )


def text_whole(*, seed: int = 0, steps: int | None = None) -> Run:
    """`text` with the image encoder: what a thing is called, it may never have had to know."""
    frozen = text(seed=seed, steps=steps)
    return replace(frozen, name="text_whole", learn=("image_encoder", *frozen.learn), learning_rate=1e-4)


def debug_text(*, seed: int = 0, steps: int | None = None) -> Run:
    """`text`, a few steps of it: the plumbing, not the learning."""
    few = replace(text().phases[0], steps=steps or 4, photos=2, objects=3, corrections=1)
    return replace(
        text(seed=seed), name="debug_text", phases=(few,), warm_up_steps=1, save_every_steps=2, log_every_steps=1
    )
