"""What a training run is, as plain values: a recipe returns one of these."""

from dataclasses import dataclass, replace
from typing import Literal

from engine.data.samples import KEPT_SCALE, Augmentation, ScaleDrawn
from engine.training.schedule import rate_at

#: Window sides are multiples of this: the coarsest stride inside our encoder.
WINDOW_STEP = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A stretch of a run.

    Attributes:
        steps: of the optimiser.
        side: of the square model input, pixels; smaller is cheaper, and the model does not mind.
        photos: per micro-batch.
        objects: per photo, at most.
        annotator: how the simulated annotator goes on after the first prompt; see `engine.training.annotator`.
        corrections: passes with new points, after the first.
        decode: whether the decoder takes part; if not, only `affinity` teaches.
        affinity: weight of the affinity lesson; 0: none.
        from_nothing: of the loss, for the first phases of a model without pretraining; see `pass_loss`.
        box_share: of first prompts that are a box; the others are a point.
        middle_share: of first points that are in the object's middle, where people click; the others are anywhere inside.
        box_noise: what a box's edge is moved at most, as a share of `side`; published is 20 px of 1024 (SAM-p, appendix A).
        text_share: of the objects that have a text, those whose first prompt is it, instead of a point or a box.
        single_first: weight of the single-mask token's loss on the first prompt, which the three ambiguity masks answer.
        scale: photos are shown with a longest side of this times the model's full input side.
            (0.1, 2.0) is the large-scale jitter of SAM-p, appendix A, for small data.
        scale_drawn: log-uniform: between 0.1 and 0.2 as often as between 1 and 2; uniform: a tenth as often, as large-scale
            jitter is defined (Simple Copy-Paste, Ghiasi et al., 2021).
    """

    steps: int
    side: int
    photos: int
    objects: int
    annotator: Literal["brief", "published"] = "brief"
    corrections: int = 2
    decode: bool = True
    affinity: float = 0.0
    from_nothing: bool = False
    box_share: float = 0.5
    middle_share: float = 0.5
    box_noise: float = 20 / 1024
    text_share: float = 0.0
    single_first: float = 0.5
    scale: tuple[float, float] = (0.4, 1.25)
    scale_drawn: ScaleDrawn = "log-uniform"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training run's whole configuration, apart from its data.

    Attributes:
        lesson: what is learnt: masks from prompts, or another model's embeddings.
        architecture: of a model that begins with random weights, or has to be given by `--init`.
        starts_live: from a trained checkpoint, of whichever architecture.
        goes_on: on weights that have been through another recipe, which have to be given.
        learn: names of the model's parts that change: image_encoder, prompt_encoder, mask_decoder, text_projection.
        optimizer: of hidden layers' matrices; all else has AdamW. See `engine.training.muon`.
        learning_rate: of the parts after the encoder's last block; see `layer_decay`.
        drops: fractions of the run after which the rate is a tenth; none: half a cosine.
        layer_decay: the rate of each level of the encoder is this times the next one's; see `engine.training.parameters`.
        weight_decay: of weights; biases, norms and position tables have none.
        drop_path: of the encoder's residual branches, where it knows the word.
        dropout: of what the mask decoder's attention and MLPs add.
        clip: largest norm of all gradients together.
        accumulate: micro-batches per process and step, whose gradients are averaged.
        iou_of: which masks the IoU head learns from: all (SAM 2), or the one that is taught its pixels (SAM).
        average: decay of the moving average of the weights, which is what gets saved.
        precision: of the forward pass: float32, or bfloat16 with float32 weights and losses.
        augment: whether photos are mirrored and recoloured, and padded ones placed anywhere.
        largest_share: of the photo that an object may cover; larger ones are dropped.
        min_object_side: what covers less of the window than a square of this times the model's full input side is not taught.
        validate_every_steps: where there are photos to validate on.
    """

    name: str
    architecture: str
    phases: tuple[Phase, ...]
    learn: tuple[str, ...]
    learning_rate: float
    lesson: Literal["masks", "embeddings"] = "masks"
    starts_live: bool = False
    goes_on: bool = False
    seed: int = 0
    optimizer: Literal["adamw", "muon"] = "adamw"
    warm_up_steps: int = 100
    drops: tuple[float, ...] = ()
    layer_decay: float = 1.0
    weight_decay: float = 0.05
    drop_path: float = 0.0
    dropout: float = 0.0
    clip: float = 1.0
    accumulate: int = 1
    iou_of: Literal["all", "chosen"] = "all"
    average: float = 0.998
    precision: Literal["float32", "bfloat16"] = "float32"
    augment: bool = True
    largest_share: float = 1.0
    min_object_side: float = 8 / 512
    save_every_steps: int = 100
    log_every_steps: int = 10
    validate_every_steps: int = 500

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def at_side(self, side: int, architecture: str, *, written_for: int, takes_any_side: bool) -> "Run":
        """The same run for a model with another input side.

        Args:
            written_for: the input side that the phases have in mind, pixels; their windows keep their share of it.
            takes_any_side: whether the encoder does; if not, windows are as large as its input, and where it learns there are
                so many fewer in a micro-batch that its activations take about the room that was meant.
        """
        learns_encoder = "image_encoder" in self.learn

        def sized(phase: Phase) -> Phase:
            if not takes_any_side and learns_encoder:
                photos = max(1, round(phase.photos * min(1.0, (phase.side / side) ** 2)))
                return replace(phase, side=side, photos=photos)
            if phase.side >= written_for or not takes_any_side:
                return replace(phase, side=side)
            steps = max(1, round(phase.side / written_for * side / WINDOW_STEP))
            return replace(phase, side=min(side, steps * WINDOW_STEP))

        return replace(self, phases=tuple(map(sized, self.phases)), architecture=architecture)

    def phase_at(self, step: int) -> Phase:
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]

    def rate_at(self, step: int) -> float:
        return rate_at(step, self.steps, self.learning_rate, warm_up_steps=self.warm_up_steps, drops=self.drops)

    def augmentation(self, full_side: int, stride: int, preprocessing: str) -> Augmentation:
        """For a model with this input side and stride, both in pixels, and this way to shrink photos."""
        largest = max(phase.scale[1] for phase in self.phases)
        usual = Augmentation(
            full_side=full_side,
            stride=stride,
            min_area_px=max(4, int((self.min_object_side * full_side) ** 2)),
            # Untouched photos are resized once, as at inference.
            kept_scale=max(KEPT_SCALE, largest) if self.augment else largest,
            largest_share=self.largest_share,
            preprocessing=preprocessing,
        )
        return usual if self.augment else usual.untouched()
