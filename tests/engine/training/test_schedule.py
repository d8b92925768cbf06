"""Learning rates: over steps, and over the encoder's depth."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from engine.recipes import RECIPES
from engine.training.parameters import depths, parameter_groups, with_dropping
from engine.training.schedule import rate_at


class Vit(nn.Module):
    """The names of the published encoder, and nothing else of it."""

    def __init__(self, depth=12):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 4, 2)
        self.pos_embed = nn.Parameter(torch.zeros(1, 2, 2, 4))
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4)) for _ in range(depth))
        self.neck = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False))


@pytest.fixture
def groups(model):
    model.image_encoder = Vit()
    other = nn.Linear(4, 4)
    named = {id(p): n for n, p in (*model.named_parameters(), *other.named_parameters("other"))}
    found = parameter_groups(model, other, weight_decay=0.1, layer_decay=0.6)
    of = {named[id(p)]: SimpleNamespace(scale=g["scale"], decay=g["weight_decay"]) for g in found for p in g["params"]}
    assert set(of) == set(named.values())
    return of


def test_the_published_rate_warms_up_for_250_steps_and_drops_tenfold_at_60000_and_86666_of_90000():
    run = RECIPES["base"](steps=90_000)
    assert run.rate_at(0) == pytest.approx(8e-4 / 250)
    assert run.rate_at(124) == pytest.approx(4e-4)
    assert [run.rate_at(step) for step in (249, 250, 59_999)] == pytest.approx([8e-4] * 3)
    assert [run.rate_at(step) for step in (60_000, 86_665)] == pytest.approx([8e-5] * 2)
    assert [run.rate_at(step) for step in (86_666, 89_999)] == pytest.approx([8e-6] * 2)


def test_without_drops_the_rate_is_half_a_cosine():
    assert [rate_at(step, 110, 1.0, warm_up_steps=10) for step in (9, 10, 60, 110)] == pytest.approx([1, 1, 0.51, 0.02])


def test_a_vits_rate_falls_block_by_block_towards_the_pixels(groups):
    assert groups["image_encoder.blocks.11.1.weight"].scale == pytest.approx(0.6)
    assert groups["image_encoder.blocks.0.1.weight"].scale == pytest.approx(0.6**12)
    assert groups["image_encoder.pos_embed"].scale == pytest.approx(0.6**13)
    assert groups["image_encoder.patch_embed.weight"].scale == pytest.approx(0.6**13)
    for name in ("image_encoder.neck.0.weight", "mask_decoder.iou_token.weight", "other.weight"):
        assert groups[name].scale == 1


def test_biases_norms_and_the_position_table_do_not_decay(groups):
    for name in ("blocks.3.0.weight", "blocks.3.1.bias", "pos_embed", "patch_embed.bias"):
        assert groups[f"image_encoder.{name}"].decay == 0
    assert groups["image_encoder.blocks.3.1.weight"].decay == 0.1


def test_the_tiny_encoders_levels_follow_the_pixels_way(model):
    found, last = depths(model.image_encoder)
    level = {name.partition(".")[0]: depth for name, depth in found.items()}
    assert found["stem.0.0.weight"] == 0
    assert [found[f"stages.{stage}.0.0.weight"] for stage in range(4)] == [1, 2, 3, 4]
    assert found["globals.0.norm1.weight"] == 5
    assert level["lateral"] == level["fuse16"] == level["neck"] == last == 6


def test_an_encoder_that_cannot_drop_paths_stays_as_it_is(model):
    assert with_dropping(model, drop_path=0.6, dropout=0.0) is model


def test_a_decoder_drops_a_tenth_of_what_its_branches_add_in_training_alone_and_is_the_same_model(model):
    dropping = with_dropping(model, drop_path=0.6, dropout=0.1)
    assert dropping.architecture == model.architecture
    grid = model.architecture.prompt.grid
    embedding = torch.randn(1, model.architecture.prompt.channels, grid, grid)
    prompt = embedding, torch.tensor([[[20.0, 20.0], [0.0, 0.0]]]), torch.tensor([[1.0, -1.0]])

    def answer(of):
        with torch.no_grad():
            return of.decode(*prompt)[0]

    assert torch.equal(answer(dropping.eval()), answer(model.eval()))
    assert torch.equal(answer(model.train()), answer(model))
    assert not torch.equal(answer(dropping.train()), answer(dropping))
    branches = [module for module in dropping.modules() if isinstance(module, nn.Dropout)]
    assert [module.p for module in branches] == [0.1] * 3  # of two layers, and of the last attention


@pytest.mark.parametrize(
    ("name", "architecture", "rate", "layer_decay", "drop_path", "steps"),
    [
        ("base", "sam_vit_b", 8e-4, 0.6, 0.6, 180_000),
        ("base_vit_l", "sam_vit_l", 4e-4, 0.8, 0.4, 180_000),
        ("base_vit_h", "sam_vit_h", 8e-4, 0.8, 0.4, 90_000),
    ],
)
def test_each_size_has_its_published_numbers(name, architecture, rate, layer_decay, drop_path, steps):
    run = RECIPES[name]()
    assert (run.name, run.architecture) == (name, architecture)
    assert (run.learning_rate, run.layer_decay, run.drop_path, run.steps) == (rate, layer_decay, drop_path, steps)
    assert (run.dropout, run.weight_decay, run.warm_up_steps, run.largest_share) == (0.1, 0.1, 250, 0.9)


@pytest.mark.parametrize(
    ("side", "takes_any_side", "window"), [(384, True, 256), (512, True, 352), (64, True, 32), (1024, False, 1024)]
)
def test_windows_keep_their_share_of_another_models_input_where_its_encoder_takes_any(side, takes_any_side, window):
    run = RECIPES["finetune"]().at_side(side, "other", written_for=384, takes_any_side=takes_any_side)
    assert [phase.side for phase in run.phases] == [window, side]
    (whole,) = RECIPES["decoder"]().at_side(side, "other", written_for=384, takes_any_side=takes_any_side).phases
    assert whole.side == side


def test_an_encoder_of_one_side_learns_from_as_many_fewer_photos_at_once_as_its_input_is_larger():
    def photos(recipe, side, *, any_side=False):
        run = RECIPES[recipe]()
        sized = run.at_side(side, "other", written_for=384, takes_any_side=any_side)
        return [phase.photos for phase in sized.phases]

    assert photos("finetune", 384, any_side=True) == photos("finetune", 1024, any_side=True) == [8, 4]
    assert photos("finetune", 1024) == [1, 1]  # 8 windows of 256 and 4 of 384 are less than one of 1024
    assert photos("finetune", 512) == [2, 2]
    assert photos("finetune", 128) == [8, 4]
    # Where only the decoder learns, photos are embeddings, whose size is the same.
    assert photos("decoder", 1024) == [phase.photos for phase in RECIPES["decoder"]().phases]
