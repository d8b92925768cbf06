"""The simulated annotator, as published."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.model.prompt_encoder import BOX_START
from engine.recipes import RECIPES
from engine.training.annotator import annotate, brief, first_prompt, published
from engine.training.device_hand import DeviceHand

PHASE = RECIPES["base"]().phases[0]
SIDE = 32  # of the logits; the base recipe's input is 32 times that here
TRUTH = np.zeros((2, SIDE, SIDE), bool)
TRUTH[0, 4:20, 6:26] = True
TRUTH[1, 10:14, 2:30] = True


class Answers:
    """In the model's place: random masks, whose confidence says nothing of how good they are; remembers what it was asked."""

    def __init__(self):
        self.asked, self.answered = [], []
        self.generator = torch.Generator().manual_seed(0)

    def decode(self, embeddings, points, labels, logits=None):
        self.asked.append(SimpleNamespace(points=points, labels=labels, logits=logits))
        answer = torch.randn(len(points), 4, SIDE, SIDE, generator=self.generator)
        self.answered.append((answer, torch.rand(len(points), 4, generator=self.generator)))
        return self.answered[-1]


@pytest.fixture
def told():
    model = Answers()
    off = torch.autocast("cpu", enabled=False)
    annotate(model, torch.zeros(2, 1, 1, 1), TRUTH, PHASE, np.random.default_rng(5), autocast=off)
    return model


def test_two_of_eleven_passes_bring_no_point_one_at_random_and_one_last():
    places = Counter()
    for seed in range(300):
        *middle, last = published(8, np.random.default_rng(seed))
        assert last == 0
        assert sorted(middle) == [0, *[1] * 8]
        places[middle.index(0)] += 1
    assert set(places) == set(range(8))
    assert min(places.values()) > 15


def test_the_brief_script_has_as_many_passes_as_it_is_told():
    assert len(list(brief(3, np.random.default_rng(0)))) == 3


def test_each_pass_is_given_the_logits_with_the_highest_predicted_iou_of_the_last(told):
    assert len(told.asked) == 11
    assert told.asked[0].logits is None
    for number, (asked, (logits, predicted)) in enumerate(zip(told.asked[1:], told.answered, strict=False)):
        shown = slice(1, 4) if number == 0 else slice(0, 1)
        for row in range(2):
            best = logits[row, shown][predicted[row, shown].argmax()]
            torch.testing.assert_close(asked.logits[row, 0], best)


def test_each_new_point_is_in_the_current_error_and_says_which(told):
    """Box rows hold two corners, point rows end in padding: what was said before stays in front."""
    width = 1024 / SIDE
    new = 0
    for before, asked in zip(told.asked, told.asked[1:], strict=False):
        answers = asked.logits[:, 0].numpy() > 0
        for row, (truth, answer) in enumerate(zip(TRUTH, answers, strict=True)):
            said, now = (
                [(*p.tolist(), int(s)) for p, s in zip(a.points[row], a.labels[row], strict=True) if s >= 0]
                for a in (before, asked)
            )
            assert now[: len(said)] == said
            for x, y, label in now[len(said) :]:
                at = int((y + 0.5) / width), int((x + 0.5) / width)
                assert truth[at] != answer[at]
                assert bool(label) == truth[at]
                new += 1
    assert new == 2 * 8


def test_a_run_begins_with_a_point_or_a_box_at_the_toss_of_a_coin_the_box_off_by_20_px_at_most():
    rng = np.random.default_rng(0)
    width = 1024 / SIDE
    boxes, points = [], []
    for _ in range(600):
        prompt = first_prompt(TRUTH[0], width, PHASE, rng)
        (boxes if prompt[0][2] == BOX_START else points).append(prompt)
    assert 250 < len(boxes) < 350
    left = np.array([prompt[0][0] for prompt in boxes])
    assert np.abs(left - 6 * width).max() == pytest.approx(20)
    assert len({prompt[0][:2] for prompt in points}) > 100  # anywhere inside, not in one place
    middles = {first_prompt(TRUTH[0], width, replace(PHASE, box_share=0, middle_share=1), rng)[0] for _ in range(20)}
    assert len(middles) == 1


@pytest.mark.parametrize("side", [None, 1024])
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_no_recipe_moves_a_boxs_edge_by_more_than_20_px_of_1024_whatever_the_side(name, side):
    run = RECIPES[name]()
    if side:
        run = run.at_side(side, "other", written_for=run.phases[-1].side, takes_any_side=True)
    large = np.zeros((64, 64), bool)
    large[8:56, 8:56] = True
    for phase in run.phases:
        to_frame, rng = phase.side / 64, np.random.default_rng(0)
        boxes = [first_prompt(large, to_frame, replace(phase, box_share=1.0), rng) for _ in range(60)]
        hand = DeviceHand(
            torch.from_numpy(large).expand(60, 64, 64),
            replace(phase, box_share=1.0),
            to_frame,
            torch.Generator().manual_seed(0),
        )
        for corners in (np.array(boxes)[..., :2], hand.prompts()[0].numpy()):
            moved = np.abs(corners - np.array([[8, 8], [56, 56]]) * to_frame)
            assert moved.max() * 1024 / phase.side == pytest.approx(20, abs=0.1)
