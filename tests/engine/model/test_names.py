"""The prompt encoder and the mask decoder are the published modules, name by name."""

import pytest
import torch

from engine.model.build import build_model

C = 128  # of maskloop_tiny
FIXED = {
    "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (2, C // 2),
    "prompt_encoder.point_embeddings.0.weight": (1, C),
    "prompt_encoder.point_embeddings.3.weight": (1, C),
    "prompt_encoder.not_a_point_embed.weight": (1, C),
    "prompt_encoder.no_mask_embed.weight": (1, C),
    "prompt_encoder.mask_downscaling.0.weight": (4, 1, 2, 2),
    "prompt_encoder.mask_downscaling.1.weight": (4,),
    "prompt_encoder.mask_downscaling.3.weight": (16, 4, 2, 2),
    "prompt_encoder.mask_downscaling.6.weight": (C, 16, 1, 1),
    "mask_decoder.iou_token.weight": (1, C),
    "mask_decoder.mask_tokens.weight": (4, C),
    "mask_decoder.transformer.layers.0.self_attn.q_proj.weight": (C, C),
    "mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight": (C // 2, C),
    "mask_decoder.transformer.layers.1.cross_attn_image_to_token.out_proj.weight": (C, C // 2),
    "mask_decoder.transformer.layers.1.norm4.weight": (C,),
    "mask_decoder.transformer.final_attn_token_to_image.v_proj.bias": (C // 2,),
    "mask_decoder.transformer.norm_final_attn.bias": (C,),
    "mask_decoder.output_upscaling.0.weight": (C, C // 4, 2, 2),
    "mask_decoder.output_upscaling.1.weight": (C // 4,),
    "mask_decoder.output_upscaling.3.weight": (C // 4, C // 8, 2, 2),
    "mask_decoder.output_hypernetworks_mlps.3.layers.2.weight": (C // 8, C),
    "mask_decoder.iou_prediction_head.layers.2.bias": (4,),
}
# Entries of the official checkpoints outside the image encoder (SAM ViT-B: 314 in all, 177 in the encoder).
OFFICIAL_ENTRIES = 137


@pytest.fixture(scope="module")
def entries():
    with torch.device("meta"):
        return build_model("maskloop_tiny").state_dict()


@pytest.mark.parametrize("name", FIXED)
def test_an_entry_has_the_published_name_and_the_shape_for_this_width(entries, name):
    assert tuple(entries[name].shape) == FIXED[name]


def test_there_are_as_many_entries_as_published(entries):
    assert sum(not name.startswith("image_encoder.") for name in entries) == OFFICIAL_ENTRIES


def test_the_model_is_small_enough(entries):
    assert sum(tensor.numel() for tensor in entries.values()) < 12_000_000
