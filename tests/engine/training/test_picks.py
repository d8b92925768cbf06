"""Which of the three masks people took is learnt: the model puts it first."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.data.batches import Batch, Pick
from engine.data.records import read_records
from engine.data.sources import EmbeddingSource
from engine.errors import DataInvalid
from engine.masks import encode
from engine.model.build import build_model
from engine.model.prompt_encoder import FOREGROUND
from engine.recipes.debug import debug_decoder
from engine.training.lessons import MaskLesson
from engine.training.losses import pass_loss
from engine.training.trainer import Trainer

SIDE, GRID = 64, 8  # of the smallest model


class _One:
    """The same object in every batch, picked by a person: always one token."""

    holds_embeddings = True

    def __init__(self, model, token: int) -> None:
        prompt = model.architecture.prompt
        torch.manual_seed(0)
        images = torch.randn(1, prompt.channels, prompt.grid, prompt.grid)
        truth = np.zeros((1, 4 * prompt.grid, 4 * prompt.grid), bool)
        truth[0, 8:20, 8:20] = True
        self.click = ((28.0, 28.0, FOREGROUND),)
        self.batch_ = Batch(images, np.zeros(1, np.int64), truth, picks=(Pick(self.click, token),))

    def batch(self, wanted, rng):
        return self.batch_


@torch.no_grad()
def ranking(model, source) -> list[int]:
    """The three ambiguity masks by predicted IoU, highest first, for the click that the person made."""
    ((x, y, label),) = source.click
    points = torch.tensor([[[x, y], [0.0, 0.0]]])
    _, iou_B4 = model.decode(source.batch_.images, points, torch.tensor([[float(label), -1.0]]), None)
    return iou_B4[0, 1:4].argsort(descending=True).tolist()


@pytest.mark.parametrize("token", [0, 1, 2])
def test_a_tiny_model_learns_to_put_the_mask_first_that_people_picked(tmp_path, token):
    torch.manual_seed(1)
    model = build_model("maskloop_debug")
    run = replace(debug_decoder(steps=60), learning_rate=3e-3, warm_up_steps=2, average=0.0, log_every_steps=60)
    run = replace(run, save_every_steps=60)  # writing it down each time takes longer than learning
    run = run.at_side(model.architecture.prompt.image_side, "maskloop_debug", written_for=384, takes_any_side=True)
    source = _One(model, token)
    trainer = Trainer(run, model, MaskLesson(run, model, embedded=True), source, tmp_path / "out", draw_threads=0)
    list(trainer.train())
    assert ranking(trainer.averaged.eval(), source)[0] == token


def test_the_picked_mask_is_taught_its_pixels_even_where_another_is_nearer():
    truth = torch.zeros(1, 1, 4, 4)
    truth[..., :2] = 1
    logits = torch.stack([10 * (2 * truth[0, 0] - 1), torch.zeros(4, 4), torch.zeros(4, 4)]).unsqueeze(0)
    logits.requires_grad_(True)
    iou = torch.full((1, 3), 0.5)
    pass_loss(logits, iou, truth, picked_B=torch.tensor([2])).mask.backward()
    assert logits.grad[0, 2].abs().sum() > 0
    assert logits.grad[0, :2].abs().sum() == 0


def test_where_nobody_picked_the_loss_is_what_it_was():
    generator = torch.Generator().manual_seed(0)
    logits, iou = torch.randn(3, 3, 8, 8, generator=generator), torch.rand(3, 3, generator=generator)
    truth = (torch.rand(3, 1, 8, 8, generator=generator) > 0.5).float()
    plain, nobody = pass_loss(logits, iou, truth), pass_loss(logits, iou, truth, picked_B=torch.full((3,), -1))
    assert torch.equal(plain.mask, nobody.mask)
    assert torch.equal(plain.iou, nobody.iou)


def write(folder, picks):
    import json

    mask = np.zeros((40, 80), bool)
    mask[10:20, 10:30] = True
    np.zeros((16, GRID, GRID), np.float16).tofile(folder / "a.f16")
    rle = encode(mask)
    entry = {"id": "a", "embedding": "a.f16", "size": [40, 80], "masks": [dict(rle)], "picks": picks}
    (folder / "manifest.jsonl").write_text(json.dumps(entry))


def test_a_manifests_pick_comes_into_the_model_frame_as_the_page_puts_it(tmp_path):
    write(tmp_path, [{"prompt": [20.5, 10.5], "token": 1}])
    source = EmbeddingSource(read_records(tmp_path), (16, GRID, GRID), SIDE)
    assert source.picks_of_object == [Pick(((20 * 0.8, 10 * 0.8, FOREGROUND),), 1)]


@pytest.mark.parametrize("bad", [[{"prompt": [1], "token": 1}], [{"prompt": [1, 2], "token": 3}], [None, None], [3]])
def test_a_pick_that_is_none_is_refused(tmp_path, bad):
    write(tmp_path, bad)
    with pytest.raises(DataInvalid):
        read_records(tmp_path)
