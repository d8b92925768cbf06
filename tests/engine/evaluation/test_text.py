"""evaluate text: objects asked for by name, and by words that mean the same or something else."""

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import DataInvalid
from engine.evaluation.pictures import Gallery
from engine.evaluation.text import OTHER_WORDS, evaluate_text, summary
from tests.engine.evaluation.conftest import Scripted, rectangle

DOG, CAR, WALL, NOTHING = (
    rectangle(0, 0, 20, 20),
    rectangle(30, 30, 40, 40),
    rectangle(50, 0, 64, 64),
    rectangle(0, 63, 1, 64),
)
WORDS = ("dog", "puppy", "car", "automobile", "wall", "zebra")
ANSWERS = {"dog": DOG, "puppy": rectangle(0, 0, 10, 20), "car": CAR, "automobile": CAR, "wall": WALL, "zebra": NOTHING}


MEANING_THE_SAME = {"dog": "puppy", "car": "automobile"}


def encode(texts):
    return np.eye(len(WORDS), dtype=np.float32)[[WORDS.index(text) for text in texts]]


def model():
    return Scripted(lambda prompt: [(ANSWERS[WORDS[int(prompt.text.argmax())]], 0.9), (NOTHING, 0.1)])


@pytest.fixture
def records(a_record):
    return [
        replace(a_record([DOG, CAR], "street"), names=("dog", "car")),
        replace(a_record([WALL, NOTHING, CAR], "garage"), names=("wall-other-merged (stuff)", "car", "car")),
        replace(a_record([NOTHING], "steppe"), names=("zebra",)),
    ]


def test_each_object_is_asked_for_by_its_name_by_another_word_and_by_one_that_means_something_else(records):
    asked = model()
    report = evaluate_text(asked, records, encode, other_words=MEANING_THE_SAME)
    assert (report["images"], report["objects"]) == (3, 4)  # which of two cars is meant, nobody can tell
    assert report["name"]["miou"] == 1
    assert report["by_name"]["car"] == {"objects": 1, "miou": 1}
    other = report["other_word"]
    assert (other["objects"], other["words"]) == (2, 2)
    assert other["miou"] == pytest.approx((0.5 + 1) / 2)  # half of the dog is a puppy
    assert other["by_name"]["miou"] == 1
    words = [WORDS[int(prompt.text.argmax())] for prompt in asked.prompts]
    assert (words[0], words[2], words[3], words[5]) == ("dog", "puppy", "car", "automobile")
    # Never what is in the photo: not the wall for the street's dog alone, and the garage has two cars.
    assert {words[1], words[4]} <= {"wall", "zebra"}
    assert words[6] == "wall"
    assert words[7] in {"dog", "zebra"}
    assert report["wrong_name"]["miou"] == 0
    assert len(summary(report)) == 5


def test_the_same_seed_asks_the_same_wrong_names(records):
    def words(seed):
        asked = model()
        evaluate_text(asked, records, encode, other_words=MEANING_THE_SAME, seed=seed)
        return [int(prompt.text.argmax()) for prompt in asked.prompts]

    assert words(1) == words(1)
    assert len({tuple(words(seed)) for seed in range(9)}) > 1


def test_the_pictures_are_of_the_names(records):
    gallery = Gallery()
    evaluate_text(model(), records, encode, other_words=MEANING_THE_SAME, gallery=gallery)
    assert sorted(case.caption for case in gallery.best) == [
        "garage, wall: 1.00",
        "steppe, zebra: 1.00",
        "street, car: 1.00",
        "street, dog: 1.00",
    ]


def test_other_words_are_no_names_of_the_set():
    assert not set(OTHER_WORDS) & set(OTHER_WORDS.values())


def test_photos_without_names_that_tell_apart_are_refused(a_record):
    for names in (None, ("dog", "dog"), (None, None)):
        with pytest.raises(DataInvalid, match="a name that no other one"):
            evaluate_text(model(), [replace(a_record([DOG, CAR]), names=names)], encode)


def test_an_object_without_a_pixel_that_counts_is_left_out_and_a_wrong_number_of_names_is_refused(a_record):
    words = {**MEANING_THE_SAME, "wall": "wall"}
    half_seen = replace(a_record([DOG, np.zeros_like(DOG), CAR], ignored=CAR), names=("dog", "zebra", "car"))
    report = evaluate_text(model(), [half_seen], encode, other_words=words)
    assert report["by_name"] == {"dog": {"objects": 1, "miou": 1}}
    with pytest.raises(DataInvalid, match="1 masks have 2 names"):
        evaluate_text(model(), [replace(a_record([DOG]), names=("dog", "car"))], encode, other_words=words)
