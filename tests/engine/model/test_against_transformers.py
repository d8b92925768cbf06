"""The same numbers as another implementation of SAM, `transformers`' SamModel, with the same weights: small, but with
windows that need padding, blocks that attend in them and blocks that attend to everything.

B photos, each with one prompt.
"""

import re

import numpy as np
import pytest
import torch
import transformers

from engine.inference.predictor import Predictor
from engine.model.build import Architecture, Sam
from engine.model.image_encoder import ImageEncoder, by_distance
from engine.model.mask_decoder import MaskDecoder
from engine.model.preprocessing import fit_square
from engine.model.prompt_encoder import BOX_END, BOX_START, PADDING, PromptEncoder
from tests.conftest import scene

SIDE, GRID, CHANNELS, B = 320, 20, 32, 2  # 20 tokens are not a multiple of the window's 14

OURS = Architecture(
    name="narrow",
    encoder=ImageEncoder.Config(width=32, depth=3, heads=2, global_blocks=(1,), channels=CHANNELS, image_side=SIDE),
    prompt=PromptEncoder.Config(channels=CHANNELS, grid=GRID, image_side=SIDE, mask_channels=8),
    decoder=MaskDecoder.Config(channels=CHANNELS, heads=4, hidden=64, iou_hidden=48),
)

#: Their names as ours, which are the published ones. In this order; the first that fits a place is taken.
NAMES = [
    (r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",
     "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
    (r"\.neck\.conv1\.", ".neck.0."),
    (r"\.neck\.layer_norm1\.", ".neck.1."),
    (r"\.neck\.conv2\.", ".neck.2."),
    (r"\.neck\.layer_norm2\.", ".neck.3."),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"(_head|_mlps\.\d)\.layers\.0\.", r"\1.layers.1."),
    (r"\.proj_in\.", ".layers.0."),
    (r"\.proj_out\.", ".layers.2."),
    (r"\.layer_norm_final_attn\.", ".norm_final_attn."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
]  # fmt: skip


def published_name(theirs: str) -> str:
    for pattern, ours in NAMES:
        theirs = re.sub(pattern, ours, theirs)
    return theirs


def config():
    sizes = {"hidden_size": CHANNELS, "image_size": SIDE}
    return transformers.SamConfig(
        vision_config={
            "hidden_size": 32, "output_channels": CHANNELS, "num_hidden_layers": 3, "num_attention_heads": 2,
            "image_size": SIDE, "window_size": 14, "global_attn_indexes": [1], "num_pos_feats": CHANNELS // 2,
        },
        prompt_encoder_config={**sizes, "mask_input_channels": 8},
        # The published decoder's norms have torch's own epsilon, theirs a smaller one unless told.
        mask_decoder_config={
            "hidden_size": CHANNELS, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 48,
            "layer_norm_eps": 1e-5,
        },
    )  # fmt: skip


def random_weights(entries: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """For every entry, those that begin as 0 or 1 included; layers keep their inputs' size, so nothing saturates."""
    random = {}
    for name, tensor in entries.items():
        values = torch.randn(tensor.shape)
        if tensor.ndim > 1 and "rel_pos" not in name and "embed" not in name:
            values *= tensor[0].numel() ** -0.5
        elif name.endswith("weight") and tensor.ndim == 1:
            values = 1 + 0.2 * values
        random[name] = 0.5 * values if tensor.ndim > 1 and "positional" in name else values
    return random


@pytest.fixture(scope="module", params=["theirs to ours", "ours to theirs"])
def both(request):
    torch.manual_seed(5)
    ours, theirs = Sam(OURS).eval(), transformers.SamModel(config()).eval()
    names = {name: published_name(name) for name in theirs.state_dict()}
    assert set(names.values()) == set(ours.state_dict())
    if request.param == "theirs to ours":
        theirs.load_state_dict(random_weights(theirs.state_dict()))
        theirs.tie_weights()
        moved = {names[name]: tensor for name, tensor in theirs.state_dict().items()}
        ours.load_state_dict(moved, strict=True)
    else:
        ours.load_state_dict(random_weights(ours.state_dict()))
        moved = ours.state_dict()
        theirs.load_state_dict({name: moved[mine] for name, mine in names.items()}, strict=True)
    return ours, theirs


@pytest.fixture(scope="module")
def embedded(both):
    pixels = torch.randn(B, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return both[0].image_encoder(pixels), both[1].vision_encoder(pixels).last_hidden_state


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_embeddings_are_equal(embedded):
    assert embedded[0].std() > 0.1  # of numbers, that is, and not of nothing
    close(*embedded)


@pytest.mark.parametrize(
    "prompt", ["points", "box", "points box", "mask", "points mask", "box mask", "points box mask"]
)
def test_all_four_masks_and_ious_are_equal(both, embedded, prompt):
    ours, theirs = both
    random = torch.Generator().manual_seed(2)
    points = SIDE * torch.rand(B, 3, 2, generator=random)
    labels = torch.tensor([[1, 0, 1], [0, 1, 1]])
    corners = torch.tensor([[[10.0, 20, 200, 90]], [[100, 4, 310, 300]]])
    mask = 5 * torch.randn(B, 1, 4 * GRID, 4 * GRID, generator=random)
    places, meanings, given = [torch.zeros(B, 0, 2)], [torch.zeros(B, 0)], {}
    if "points" in prompt:
        places.append(points)
        meanings.append(labels.float())
        given |= {"input_points": points[:, None], "input_labels": labels[:, None]}
    if "box" in prompt:
        places.append(corners.view(B, 2, 2))
        meanings.append(torch.tensor([[BOX_START, BOX_END]] * B).float())
        given |= {"input_boxes": corners}
    elif "points" in prompt:
        places.append(torch.zeros(B, 1, 2))
        meanings.append(torch.full((B, 1), float(PADDING)))
    if "mask" in prompt:
        given |= {"input_masks": mask}
    with torch.inference_mode():
        logits, iou = ours.decode(
            embedded[0], torch.cat(places, 1), torch.cat(meanings, 1), mask if "mask" in prompt else None
        )
        three = theirs(image_embeddings=embedded[1], **given, multimask_output=True)
        single = theirs(image_embeddings=embedded[1], **given, multimask_output=False)
    assert logits.std() > 0.1
    close(logits, torch.cat([single.pred_masks, three.pred_masks], dim=2)[:, 0])
    close(iou, torch.cat([single.iou_scores, three.iou_scores], dim=2)[:, 0])


@pytest.mark.parametrize("size", [(200, 500), (640, 333), (90, 61), (320, 320)])
def test_a_photo_of_any_shape_is_prepared_and_embedded_the_same(both, size):
    ours, theirs = both
    rgb = scene(*size, seed=3)[0]
    prepare = transformers.models.sam.image_processing_pil_sam.SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}
    )
    pixels = torch.from_numpy(np.stack(prepare(rgb)["pixel_values"]))
    square = fit_square(rgb, SIDE, OURS.encoder.preprocessing)
    with torch.inference_mode():
        mine = ours.embed(torch.from_numpy(square).permute(2, 0, 1)[None])
        close((torch.from_numpy(square).permute(2, 0, 1) - ours.pixel_mean) / ours.pixel_std, pixels[0])
        close(mine, theirs.vision_encoder(pixels).last_hidden_state)
    by_the_door_users_take = Predictor(ours).embed(rgb).embedding
    np.testing.assert_allclose(by_the_door_users_take.astype(np.float32), mine[0].numpy(), atol=2e-3)  # of float16


def test_the_image_encoder_learns_the_same(both):
    """Gradients go through the fused attention's bias to the tables of distances, too."""
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    ours, theirs = both[0].image_encoder, both[1].vision_encoder
    with torch.enable_grad():
        ours(pixels).square().mean().backward()
        theirs(pixels).last_hidden_state.square().mean().backward()
    mine = {f"image_encoder.{name}": parameter.grad for name, parameter in ours.named_parameters()}
    for name, parameter in theirs.named_parameters():
        grad = mine.pop(published_name(f"vision_encoder.{name}"))
        assert grad.abs().max() > 0, name
        torch.testing.assert_close(grad, parameter.grad, rtol=1e-3, atol=1e-4)
    assert not mine


@pytest.mark.parametrize("size", [5, 14, 20])
def test_tables_of_distances_are_stretched_the_same(both, size):
    attention = both[1].vision_encoder.layers[0].attn
    close(by_distance(attention.rel_pos_h, size), attention.get_rel_pos(size, size, attention.rel_pos_h))
