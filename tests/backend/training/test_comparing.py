"""Two checkpoints side by side."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.checkpoints.models import Checkpoint, Deployment
from backend.datasets.services import dataset_create
from backend.releases.models import FrozenSet
from backend.training.models import Evaluation, TrainingRun
from backend.training.work import _remember_scores

pytestmark = pytest.mark.django_db


def photo(iou: float, objects: int = 2, noc: float = 6.0) -> dict:
    own = {"objects": objects, "miou": dict.fromkeys("135", iou), "oracle": {"1": iou + 0.1}, "noc90": noc}
    return {**own, "by_size": {"small": own}}


def digests(photos: dict, **others: str) -> dict[str, str]:
    """The same for all that are not named."""
    return dict.fromkeys(photos, "as drawn") | others


def report(photos: dict) -> dict:
    totals = dict.fromkeys(("images", "objects", "max_clicks", "noc90"), 0)
    return {**totals, "miou": {}, "oracle": {}, "intervals": {}, "by_size": {}, "per_image": photos}


@pytest.fixture
def made(dataset, live):
    """One more checkpoint after another."""

    def make(name: str, **fields) -> Checkpoint:
        copied = {
            key: getattr(live, key)
            for key in ("architecture", "config", "encoder_hash", "decoder_hash", "input_side", "embedding_shape")
        }
        return Checkpoint.objects.create(
            **copied, name=name, storage_key=name, file_hash=name, dataset=dataset, parent=live, **fields
        )

    return make


@pytest.fixture
def ask(dataset, admin, as_user):
    def do(status=200, user=None, **query):
        reply = as_user(user or admin).get(f"/api/datasets/{dataset.id}/compare/", query)
        assert reply.status_code == status, reply.json()
        return reply.json()

    return do


def run_of(dataset, base, candidate, **fields):
    learnt = FrozenSet.objects.create(dataset=dataset, purpose="training", digest="f00d", mask_count=12, image_count=3)
    return TrainingRun.objects.create(
        dataset=dataset, frozen_set=learnt, base=base, candidate=candidate, recipe="decoder", seed=7, state="done",
        finished_at=datetime.now(UTC), **fields,
    )  # fmt: skip


def test_both_are_compared_on_the_photos_and_masks_on_which_both_were_measured(dataset, live, made, ask):
    other = made("Street 1")
    run_of(dataset, live, other, decision="refused", why="By hand.")
    ours = {"a": photo(0.5), "b": photo(0.7), "changed": photo(0.1), "only ours": photo(0.1)}
    theirs = {"a": photo(0.6, noc=5.0), "b": photo(0.8, noc=5.0), "changed": photo(0.9)}
    for checkpoint, photos in ((live, ours), (other, theirs)):
        _remember_scores(checkpoint, dataset, "test", report(photos), digests(photos, changed=checkpoint.name), "")
    told = ask(left=live.id, right=other.id)
    assert (told["test"]["photos"], told["test"]["left_out"]) == (2, 2)
    figures = {(one["key"], one["size"]): one for one in told["test"]["figures"]}
    assert {key for key, _ in figures} == {"miou_1", "miou_3", "miou_5", "noc90", "oracle_gap"}
    assert {size for _, size in figures} == {"all", "small"}
    one = figures["miou_1", "all"]
    assert (one["live"], one["candidate"]) == (pytest.approx(0.6), pytest.approx(0.7))
    # Each photo gained the same, so every resample does.
    assert [one[key] for key in ("difference", "low", "high")] == [pytest.approx(0.1)] * 3
    assert figures["noc90", "all"]["difference"] == pytest.approx(-1)
    assert told["holdout"] == {"photos": 0, "left_out": 0, "figures": []}
    assert (told["left"]["is_live"], told["left"]["run"], told["right"]["is_live"]) == (True, None, False)
    assert told["right"]["went_on_from"] == str(live.id)
    run = told["right"]["run"]
    assert (run["recipe"], run["seed"], run["masks"], run["digest"], run["decision"]) == (
        "decoder", 7, 12, "f00d", "refused",
    )  # fmt: skip


def test_what_was_measured_before_digests_were_kept_is_compared_by_how_many_masks_of_each_size(
    dataset, live, made, ask
):
    other = made("Street 1")
    for checkpoint, objects in ((live, 2), (other, 3)):
        photos = {"a": photo(0.5), "b": photo(0.5, objects=objects)}
        Evaluation.objects.create(dataset=dataset, checkpoint=checkpoint, split="test", photos=photos)
    told = ask(left=live.id, right=other.id)["test"]
    assert (told["photos"], told["left_out"]) == (1, 1)


def test_clicks_to_90_percent_are_compared_only_where_failures_count_alike(dataset, live, made, ask):
    other = made("Street 1")
    for checkpoint, asked in ((live, {}), (other, {"max_clicks": 9})):
        photos = {"a": photo(0.5), "b": photo(0.5)}
        Evaluation.objects.create(dataset=dataset, checkpoint=checkpoint, split="test", photos=photos, report=asked)
    told = ask(left=live.id, right=other.id)["test"]
    assert told["photos"] == 2
    assert {one["key"] for one in told["figures"]} == {"miou_1", "miou_3", "miou_5", "oracle_gap"}


def test_nothing_that_the_comparison_does_not_show_is_read_of_runs(dataset, live, made, ask):
    run_of(dataset, live, made("Street 1"), log="a line")
    with CaptureQueriesContext(connection) as asked:
        ask()
    of_runs = [query["sql"] for query in asked if "training_trainingrun" in query["sql"]]
    assert of_runs
    assert not [sql for sql in of_runs for name in ("log", "history", "examples") if f'"{name}"' in sql]


def test_measured_anew_the_newest_counts(dataset, live):
    for iou in (0.5, 0.6):
        _remember_scores(live, dataset, "test", report({"a": photo(iou)}), {"a": "as drawn"}, "")
    assert Evaluation.objects.get().photos["a"]["miou"]["1"] == 0.6


def test_what_the_gate_kept_before_photos_were_kept_is_shown_too(dataset, live, made, ask):
    other = made("Street 1")
    figure = {"key": "miou_1", "name": "mIoU after 1 click", "live": 0.5, "candidate": 0.6, "difference": 0.1}
    figure |= {"low": 0.0, "high": 0.2, "size": "all", "objects": 4}
    verdict = {"reason": "", "figures": [figure], "evidence": {"images": 2}, "holdout": []}
    run_of(dataset, live, other, verdict=verdict)
    told = ask(left=live.id, right=other.id)
    assert (told["test"]["photos"], told["test"]["figures"]) == (2, [figure])
    assert ask(left=other.id, right=live.id)["test"]["figures"] == [], "the other way round nobody compared them"


def test_first_the_live_one_and_its_candidate_or_else_the_one_before_and_the_live_one(dataset, live, made, ask):
    assert ask(409)["code"] == "nothing_to_compare"
    candidate = made("Street 1")
    run_of(dataset, live, candidate)
    told = ask()
    assert (told["left"]["id"], told["right"]["id"]) == (str(live.id), str(candidate.id))
    Deployment.objects.update(until=datetime.now(UTC))
    Deployment.objects.create(dataset=dataset, checkpoint=candidate, reason="promoted by the gate")
    told = ask()
    assert (told["left"]["id"], told["right"]["id"], told["right"]["is_live"]) == (
        str(live.id),
        str(candidate.id),
        True,
    )
    assert ask(left=candidate.id)["right"]["id"] == str(live.id), "not with itself"


def test_where_one_model_served_so_far_it_is_compared_with_the_newest_that_could(dataset, live, made, ask):
    brought = made("brought in")
    Checkpoint.objects.filter(id=brought.id).update(dataset=None)
    told = ask()
    assert (told["left"]["id"], told["right"]["id"]) == (str(live.id), str(brought.id))


def test_a_checkpoint_of_another_dataset_cannot_be_compared(dataset, live, made, ask, stranger):
    other = made("Street 1")
    Checkpoint.objects.filter(id=other.id).update(dataset=dataset_create(creator=stranger, name="Their own"))
    ask(404, left=live.id, right=other.id)
    ask(404, user=stranger, left=live.id, right=live.id)
    assert ask(400, left="the first")["code"] == "invalid_input"


def test_what_the_gate_measured_is_told_with_its_intervals_and_by_size(dataset, live, admin, as_user):
    measured = {
        "images": 2, "objects": 5, "miou": {"1": 0.5}, "oracle": {"1": 0.6}, "noc90": 6.0,
        "intervals": {"1": [0.4, 0.6]}, "by_size": {"small": {"objects": 5, "1": 0.5}},
    }  # fmt: skip
    Checkpoint.objects.filter(id=live.id).update(scores={str(dataset.id): {"test": measured}})
    (told,) = as_user(admin).get(f"/api/datasets/{dataset.id}/checkpoints/").json()
    assert told["scores"]["test"] == measured
