"""One function is one complete run. `python -m engine train NAME` finds it here by name."""

from collections.abc import Callable

from engine.recipes.base import base, base_large_jitter, base_vit_h, base_vit_l
from engine.recipes.debug import debug, debug_decoder, debug_finetune
from engine.recipes.decoder import decoder
from engine.recipes.distill import debug_distill, distill
from engine.recipes.finetune import finetune
from engine.recipes.gpu import debug_gpu, gpu
from engine.recipes.scratch import first_click, further, larger, longer, scratch
from engine.recipes.text import debug_text, text, text_whole
from engine.training.run import Run

#: Each takes seed and, where given, the number of steps.
RECIPES: dict[str, Callable[..., Run]] = {
    "base": base,
    "base_large_jitter": base_large_jitter,
    "base_vit_h": base_vit_h,
    "base_vit_l": base_vit_l,
    "debug": debug,
    "debug_decoder": debug_decoder,
    "debug_distill": debug_distill,
    "debug_finetune": debug_finetune,
    "debug_gpu": debug_gpu,
    "debug_text": debug_text,
    "decoder": decoder,
    "distill": distill,
    "finetune": finetune,
    "first_click": first_click,
    "further": further,
    "gpu": gpu,
    "larger": larger,
    "longer": longer,
    "scratch": scratch,
    "text": text,
    "text_whole": text_whole,
}
