"""The dashboard's figures, on a small life of a dataset that can be worked out by hand."""

import csv
import io
from datetime import UTC, datetime
from importlib import import_module
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Value
from django.test.utils import CaptureQueriesContext

from backend.annotation.models import Assignment, Mask, MaskState, Origin, State
from backend.autolabel.models import AutolabelJob, AutolabelRun, Detector, JobState, Proposal
from backend.checkpoints.models import Checkpoint, Deployment
from backend.checkpoints.services import deployment_make
from backend.common.models import Event
from backend.common.statistics import wilson, wilson_by_group
from backend.datasets.models import Dataset, Image
from backend.insights.figures_api import TABLES
from backend.insights.selectors import _effort
from backend.releases.models import FrozenSet
from backend.review.models import Question, Verdict
from backend.training.claims import TRAINING, claim_take
from backend.training.models import TrainingRun
from backend.training.work import Work
from tests.backend.conftest import mask_body

pytestmark = pytest.mark.django_db


def day(number: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=UTC)


@pytest.fixture
def ask(dataset, admin, as_user):
    def do(user=None, **query):
        reply = as_user(user or admin).get(f"/api/datasets/{dataset.id}/figures/", query)
        assert reply.status_code == 200, reply.json()
        return reply.json()

    return do


def put(model, at, **fields):
    """A row, made at that moment."""
    row = model.objects.create(**fields)
    model.objects.filter(id=row.id).update(created_at=at)
    return row


def put_mask(image, at, seconds=None, clicks=0, origin=Origin.ASSISTED, **fields):
    box = {"x0": 0, "y0": 0, "x1": 3, "y1": 3, "area": 9}
    return put(
        Mask, at, image=image, seconds=seconds, clicks=clicks, origin=origin, counts="", content_hash=uuid4().hex,
        **box, **fields,
    )  # fmt: skip


@pytest.fixture
def second(live, dataset):
    """A checkpoint that the gate promoted on the fifth."""
    fields = {
        name: getattr(live, name)
        for name in ("architecture", "config", "encoder_hash", "decoder_hash", "input_side", "embedding_shape")
    }
    score = {
        "images": 4, "objects": 9, "miou": {"1": 0.5, "3": 0.6, "5": 0.7}, "oracle": {"1": 0.6}, "noc90": 6.5,
        "intervals": {"1": [0.4, 0.6], "3": [0.5, 0.7], "5": [0.6, 0.8], "noc90": [6, 7]}, "by_size": {},
    }  # fmt: skip
    return Checkpoint.objects.create(
        **fields, name="Street 1", storage_key="2", file_hash="2", parent=live, dataset=dataset,
        scores={str(dataset.id): {"test": score}, str(uuid4()): {"test": {**score, "noc90": 1}}},
    )  # fmt: skip


@pytest.fixture
def life(dataset, admin, annotator, reviewer, live, second):
    """Stage 1 from the 1st, another model on the 5th, stage 2 on the 10th; and a refused run on the 7th."""
    Dataset.objects.filter(id=dataset.id).update(created_at=day(1, 0), stage="semi_automatic")
    Deployment.objects.update(since=day(1, 0), until=day(5, 0))
    Deployment.objects.create(dataset=dataset, checkpoint=second, since=day(5, 0), reason="promoted by the gate")
    for kind, candidate, at, decision in (("a", second, day(5, 0), "promoted"), ("b", None, day(7), "refused")):
        learnt = FrozenSet.objects.create(dataset=dataset, purpose="training", digest=kind, mask_count=3, image_count=2)
        TrainingRun.objects.create(
            dataset=dataset, frozen_set=learnt, base=live if candidate else second, recipe="decoder", seed=0,
            state="done", candidate=candidate, decision=decision, finished_at=at, verdict={"reason": f"It was {kind}."},
        )  # fmt: skip
    put(
        Event, day(10, 0), kind="dataset.stage_changed", subject_id=dataset.id, dataset_id=dataset.id,
        data={"before": "assisted", "stage": "semi_automatic"},
    )  # fmt: skip
    photos = [
        Image.objects.create(dataset=dataset, content_hash=f"{n}", width=3, height=3, byte_size=1, split="train")
        for n in range(4)
    ]
    for photo, at in zip(photos, (day(2), day(3), day(6)), strict=False):
        Image.objects.filter(id=photo.id).update(annotated_at=at)
        put(Assignment, at, image=photo, holder=annotator, state=State.SUBMITTED, checkpoint=live, expires_at=at)
    # Round 1: 10, 20, 30 and 100 s by people on two photos.
    for photo, seconds, clicks in ((0, 10, 1), (0, 20, 2), (1, 30, 3), (1, 100, 6)):
        put_mask(photos[photo], day(2 + photo), seconds, clicks, author=annotator)
    put_mask(photos[0], day(2), 999, 99, state=MaskState.REPLACED, author=annotator)  # counts no more
    put_mask(photos[0], day(2), origin=Origin.IMPORTED)  # nobody knows how long it took
    # Round 2: 4 and 8 s.
    put_mask(photos[2], day(6), 4, 1, author=annotator)
    put_mask(photos[2], day(6, 22), 8, 2, Origin.BRUSH, author=reviewer)
    # Round 3: proposals, of which one person accepts two of three, one of them on second thought.
    detector = Detector.objects.create(dataset=dataset, encoder_hash="e", detector_hash="d", storage_key="k")
    for answers in (["accept"], ["fix", "accept"], ["not_an_object"], ["unsure"]):
        state = {"accept": MaskState.ACTIVE, "not_an_object": MaskState.REJECTED}.get(answers[-1], MaskState.PROPOSED)
        mask = put_mask(photos[3], day(10), origin=Origin.PROPOSED, state=state)
        Proposal.objects.create(
            mask=mask, dataset=dataset, image=photos[3], detector=detector, confidence=0.9, doubt=0, photo_doubt=0,
            shuffle=0, opinions_wanted=1, opinions_left=0,
        )  # fmt: skip
        question = Question.objects.create(mask=mask, holder=reviewer, kind="proposal", expires_at=day(11))
        for hour, answer in enumerate(answers):
            put(Verdict, day(11, 9 + hour), mask=mask, question=question, by=reviewer, answer=answer, seconds=2)
    run = AutolabelRun.objects.create(dataset=dataset, checkpoint=second)
    AutolabelJob.objects.create(run=run, image=photos[3], state=JobState.DONE, mask_count=7, finished_at=day(12))
    return photos


def test_rounds_end_where_another_model_goes_live_or_the_stage_changes(life, ask, live, second):
    rounds = ask()["rounds"]
    assert [(one["number"], one["stage"], one["checkpoint"]) for one in rounds] == [
        (1, "assisted", str(live.id)),
        (2, "assisted", str(second.id)),
        (3, "semi_automatic", str(second.id)),
    ]
    assert [one["until"] for one in rounds] == ["2026-03-05T00:00:00Z", "2026-03-10T00:00:00Z", None]


def test_seconds_and_clicks_are_of_masks_that_people_drew_and_that_count(life, ask):
    first, second, third = ask(by="round")["points"]
    assert (first["masks"], first["seconds_mean"], first["seconds_median"]) == (4, 40.0, 25.0)
    assert (first["seconds_low"], first["seconds_high"]) == (17.5, 47.5)
    assert (first["clicks_mean"], first["clicks_median"]) == (3.0, 2.5)
    assert (second["masks"], second["seconds_mean"], second["clicks_median"]) == (2, 6.0, 1.5)
    assert (third["masks"], third["seconds_mean"], third["seconds_median"]) == (0, None, None)


def test_a_mask_that_was_polished_has_the_work_on_what_it_replaced(annotator, as_user, photo, take, ask):
    """Drawn in 3 s with 5 clicks, its holes filled in 1 s, its edge painted in 2 s; another corrects what a model made."""
    held = take(annotator)
    Assignment.objects.update(created_at=day(1))
    by_model = put_mask(photo, day(1), origin=Origin.AUTOMATIC, clicks=3)
    first, second, third, other = (str(uuid4()) for _ in range(4))
    for mask, replaces, seconds, clicks in (
        (first, None, 3, 5),
        (second, first, 1, 0),
        (third, second, 2, 0),
        (other, str(by_model.id), 4, 1),
    ):
        body = mask_body(held, seconds=seconds, clicks=clicks, replaces=replaces)
        assert as_user(annotator).put(f"/api/masks/{mask}/", body, format="json").status_code == 201
    (point,) = [one for one in ask(by="day")["points"] if one["masks"]]
    assert (point["masks"], point["seconds_low"], point["seconds_high"]) == (2, 4.5, 5.5)
    assert (point["seconds_mean"], point["clicks_mean"]) == (5.0, 3.0)
    (person,) = ask()["people"]
    assert (person["masks"], person["seconds"], person["clicks_mean"]) == (2, 10.0, 3.0)
    own = as_user(annotator).get("/api/me/work/").json()["today"]
    assert (own["masks"], own["seconds_per_mask"], own["clicks_per_mask"]) == (2, 5.0, 3.0)


def test_work_on_replaced_masks_is_reckoned_for_those_that_were_there_before_it_was_kept(photo, annotator):
    walk = import_module("migrations.annotation.0010_work_before").WALK
    first = put_mask(photo, day(1), 3, 5, state=MaskState.REPLACED)
    second = put_mask(photo, day(1), 1, 0, Origin.BRUSH, state=MaskState.REPLACED, replaces=first)
    third = put_mask(photo, day(1), 2, 0, Origin.BRUSH, replaces=second)
    by_model = put_mask(photo, day(1), origin=Origin.AUTOMATIC, state=MaskState.REPLACED)
    corrected = put_mask(photo, day(1), 4, 1, replaces=by_model)
    with connection.cursor() as cursor:
        cursor.execute(walk)
    found = {row[0]: row[1:] for row in Mask.objects.values_list("id", "seconds_before", "clicks_before")}
    assert found == {first.id: (0, 0), second.id: (3, 5), third.id: (4, 5), by_model.id: (0, 0), corrected.id: (0, 0)}


def test_masks_per_photo_are_of_the_photos_that_people_finished_then_beside_the_automatic_ones(life, ask):
    first, second, third = ask()["points"]
    assert (first["photos"], first["masks_per_photo"], first["masks_per_photo_by_people"]) == (2, 2.5, 2.5)
    assert (second["photos"], second["masks_per_photo"]) == (1, 2.0)
    assert (third["photos"], third["masks_per_photo"]) == (0, None)
    assert (third["automatic_photos"], third["automatic_masks_per_photo"]) == (1, 7.0)


def test_as_many_photos_have_automatic_masks_as_the_gallery_lists(life, ask, dataset, admin, as_user):
    run = AutolabelRun.objects.get()
    for photo, masks in ((0, 0), (1, 2), (2, 1)):
        AutolabelJob.objects.create(
            run=run, image=life[photo], state=JobState.DONE, mask_count=masks, finished_at=day(12)
        )
    for _ in range(2):
        put_mask(life[1], day(12), origin=Origin.AUTOMATIC)
    put_mask(life[2], day(12), origin=Origin.AUTOMATIC, state=MaskState.REPLACED)  # corrected since
    third = ask()["points"][2]
    assert (third["automatic_photos"], third["automatic_masks_per_photo"]) == (4, 2.5)
    chosen = {"origin": "automatic", "made_from": third["since"]}
    listed = as_user(admin).get(f"/api/datasets/{dataset.id}/images/", chosen).json()
    assert third["photos_with_automatic_masks"] == listed["count"] == 1
    assert [photo["id"] for photo in listed["results"]] == [str(life[1].id)]


def test_days_begin_where_the_person_is(life, ask):
    assert [(point["day"], point["masks"]) for point in ask(by="day")["points"]] == [
        ("2026-03-02", 2), ("2026-03-03", 2), ("2026-03-06", 2), ("2026-03-12", 0),
    ]  # fmt: skip
    in_tokyo = ask(by="day", time_zone="Asia/Tokyo")["points"]
    assert ("2026-03-07", 1) in [(point["day"], point["masks"]) for point in in_tokyo]
    assert in_tokyo[0]["since"] == "2026-03-01T15:00:00Z"


def test_quality_is_what_the_gate_found_here_with_its_intervals(life, ask, second):
    (row,) = ask()["quality"]
    assert (row["checkpoint"], row["since"], row["until"]) == (str(second.id), "2026-03-05T00:00:00Z", None)
    assert (row["split"], row["photos"], row["objects"]) == ("test", 4, 9)
    assert (row["miou_1"], row["miou_1_low"], row["miou_1_high"], row["noc90"]) == (0.5, 0.4, 0.6, 6.5)


def test_quality_at_a_promotion_is_of_the_photos_on_which_both_models_were_compared(life, ask, live, second, dataset):
    """Measured since on harder photos, the model that was promoted seems worse than the one before it was on easier ones."""

    def figure(key, before, after):
        return {"key": key, "name": key, "size": "all", "objects": 7, "live": before, "candidate": after,
                "low": 0.01, "high": 0.2, "difference": after - before}  # fmt: skip

    keys = ("miou_1", "miou_3", "miou_5", "noc90")
    verdict = {"figures": [figure(key, 0.55, 0.65) for key in keys], "evidence": {"images": 3}, "holdout": []}
    TrainingRun.objects.filter(candidate=second).update(verdict=verdict)
    score = second.scores[str(dataset.id)]["test"]
    easier = {**score, "miou": dict.fromkeys("135", 0.7)}
    Checkpoint.objects.filter(id=live.id).update(scores={str(dataset.id): {"test": easier}})
    before, after = ask()["quality"]
    for clicks in "135":
        assert (before[f"miou_{clicks}"], after[f"miou_{clicks}"]) == (0.55, 0.65)
        assert after[f"miou_{clicks}_before"] == before[f"miou_{clicks}"]
        assert (after[f"miou_{clicks}_gain_low"], after[f"miou_{clicks}_gain_high"]) == (0.01, 0.2)
        assert (after[f"miou_{clicks}_low"], before[f"miou_{clicks}_before"]) == (None, None)
    assert (after["photos"], after["objects"]) == (3, 7)


def test_every_retraining_and_change_of_stage_is_marked_once_refused_ones_as_such(life, ask, live, second):
    marks = ask()["marks"]
    assert [mark["kind"] for mark in marks] == ["deployed", "promoted", "refused", "stage"]
    assert (marks[1]["checkpoint"], marks[1]["before"]) == (str(second.id), str(live.id))
    assert (marks[2]["reason"], marks[3]["stage"]) == ("It was b.", "semi_automatic")


def test_a_promotion_by_the_gate_is_marked_once(dataset, ask, live, second, tmp_path):
    learnt = FrozenSet.objects.create(dataset=dataset, purpose="training", digest="d", mask_count=3, image_count=2)
    run = TrainingRun.objects.create(dataset=dataset, frozen_set=learnt, base=live, recipe="decoder", seed=0)

    def report(iou):
        own = {"objects": 2, "miou": dict.fromkeys("135", iou), "oracle": {"1": iou}, "noc90": 6.0}
        return {"images": 2, "objects": 4, "per_image": {name: {**own, "by_size": {}} for name in "ab"}}

    found = {"live": report(0.5), "candidate": report(0.8)}
    Work(claim_take(TRAINING, run.id), tmp_path)._decide(second, {"test": found, "holdout": None})
    marks = ask()["marks"]
    assert [(mark["kind"], mark["checkpoint"]) for mark in marks] == [
        ("deployed", str(live.id)),
        ("promoted", str(second.id)),
    ]
    deployment_make(dataset=dataset, checkpoint=live, reason="rolled back", by=None)
    deployment_make(dataset=dataset, checkpoint=second, reason="by hand", by=None)
    assert [mark["reason"] for mark in ask()["marks"][2:]] == ["rolled back", "by hand"]


def test_a_photo_finished_while_the_figures_are_made_breaks_none_of_them(life, dataset):
    def piece(field):
        if field == "image__annotated_at":  # after the photos were counted, before their masks are
            Image.objects.filter(dataset=dataset).update(annotated_at=day(13))
        return Value(0 if field == "annotated_at" else 1)

    counted, finished_since = (_effort(dataset, piece)[index] for index in (0, 1))
    assert (counted["photos"], counted["masks_per_photo"]) == (3, 0)
    assert (finished_since["photos"], finished_since["masks_per_photo"]) == (0, None)


def test_the_dashboard_reads_no_logs_and_no_histories_of_runs(life, ask):
    with CaptureQueriesContext(connection) as asked:
        ask()
    of_runs = [query["sql"] for query in asked if "training_trainingrun" in query["sql"]]
    assert of_runs
    assert not [sql for sql in of_runs for name in ("log", "history", "examples") if f'"{name}"' in sql]


def test_acceptance_is_of_each_persons_last_word_by_stage(life, ask):
    (row,) = ask()["acceptance"]
    assert (row["stage"], row["accept"], row["fix"], row["not_an_object"], row["unsure"]) == (
        "semi_automatic", 2, 0, 1, 1,
    )  # fmt: skip
    assert row["rate"] == pytest.approx(2 / 3)
    # All on one photo: Wilson's interval of two thirds of one mask.
    assert (row["rate_low"], row["rate_high"]) == (pytest.approx(0.0942, abs=1e-4), pytest.approx(0.9747, abs=1e-4))


def test_the_interval_of_acceptance_goes_by_scenes(life, ask):
    """Each mask on a photo of its own, then all of these of one scene."""
    for number, verdict in enumerate(Verdict.objects.all()):
        photo = Image.objects.create(
            dataset=life[0].dataset, content_hash=f"own {number}", group=f"{number}", width=3, height=3, byte_size=1
        )
        Mask.objects.filter(id=verdict.mask_id).update(image=photo)
    (row,) = ask()["acceptance"]
    assert (row["rate_low"], row["rate_high"]) == pytest.approx(wilson_by_group([(1, 1), (1, 1), (0, 1)]))
    Image.objects.update(group="street")
    (row,) = ask()["acceptance"]
    assert (row["rate_low"], row["rate_high"]) == pytest.approx(wilson(2 / 3, 1))


def test_masks_that_count_are_shared_out_by_origin(life, ask):
    assert {row["origin"]: (row["masks"], row["share"]) for row in ask()["origins"]} == {
        "assisted": (5, 5 / 9), "proposed": (2, 2 / 9), "brush": (1, 1 / 9), "imported": (1, 1 / 9),
    }  # fmt: skip


def test_an_accepted_proposal_that_awaits_a_second_opinion_is_found_by_admins_who_see_it_counted_and_by_nobody_else(
    dataset, photo, ask, admin, reviewer, as_user
):
    accepted = put_mask(photo, day(1), origin=Origin.PROPOSED)
    detector = Detector.objects.create(dataset=dataset, encoder_hash="e", detector_hash="d", storage_key="detectors/d")
    Proposal.objects.create(
        mask=accepted, dataset=dataset, image=photo, detector=detector, confidence=0.8, doubt=0.5, photo_doubt=0.5,
        shuffle=0.5, opinions_wanted=2, opinions_left=1,
    )  # fmt: skip
    assert [(row["origin"], row["masks"]) for row in ask()["origins"]] == [("proposed", 1)]

    def listed(user):
        return as_user(user).get(f"/api/datasets/{dataset.id}/images/", {"origin": "proposed"}).json()["count"]

    assert (listed(admin), listed(reviewer)) == (1, 0)


def test_admins_see_what_everybody_did_and_others_only_what_they_did(life, ask, annotator, reviewer):
    people = {row["username"]: row for row in ask()["people"]}
    own = people["annotator"]
    assert (own["masks"], own["seconds"], own["seconds_median"], own["photos"]) == (5, 164.0, 20.0, 3)
    assert (people["reviewer"]["masks"], people["reviewer"]["verdicts"]) == (1, 4)
    assert ask(annotator)["people"] == [own]
    assert [row["username"] for row in ask(reviewer)["people"]] == ["reviewer"]


def test_a_persons_verdicts_are_of_the_proposals_that_the_number_leads_to(life, ask, dataset, reviewer, admin, as_user):
    """Known questions are not among them, and who answers twice has judged one proposal."""
    known = put_mask(life[1], day(11), origin=Origin.AUTOMATIC)
    asked = Question.objects.create(mask=known, holder=reviewer, kind="known", expected="accept", expires_at=day(12))
    Verdict.objects.create(mask=known, question=asked, by=reviewer, answer="accept")
    (row,) = [row for row in ask()["people"] if row["username"] == "reviewer"]
    shown = as_user(admin).get(f"/api/datasets/{dataset.id}/images/", {"judged_by": row["user"]}).json()["results"]
    behind = Proposal.objects.filter(image__in=[photo["id"] for photo in shown])
    assert row["verdicts"] == behind.count() == 4


def test_each_number_leads_to_the_photos_behind_it(life, ask, dataset, as_user, admin, reviewer, annotator):
    def shown(**chosen):
        reply = as_user(admin).get(f"/api/datasets/{dataset.id}/images/", chosen)
        assert reply.status_code == 200, reply.json()
        return {photo["id"] for photo in reply.json()["results"]}

    def are(*photos):
        return {str(life[number].id) for number in photos}

    figures = ask()
    first, second, _ = figures["points"]
    assert shown(origin="drawn", made_from=first["since"], made_to=first["until"]) == are(0, 1)
    assert shown(origin="drawn", made_from=second["since"], made_to=second["until"]) == are(2)
    assert shown(finished_from=first["since"], finished_to=first["until"]) == are(0, 1)
    assert shown(origin="people", made_from=first["since"], made_to=day(3, 0).isoformat()) == are(0)
    people = {row["username"]: row["user"] for row in figures["people"]}
    assert shown(submitted_by=people["annotator"]) == are(0, 1, 2)
    assert shown(judged_by=people["reviewer"]) == are(3)
    assert shown(judged_by=people["annotator"]) == set()
    assert as_user(reviewer).get(f"/api/datasets/{dataset.id}/images/", {"submitted_by": admin.id}).status_code == 200
    for of_another in ({"submitted_by": admin.id}, {"judged_by": admin.id}):
        reply = as_user(annotator).get(f"/api/datasets/{dataset.id}/images/", of_another)
        assert reply.status_code == 403
    spell = figures["acceptance"][0]
    assert shown(verdict="not_an_object", judged_from=spell["since"]) == are(3), "a mask that counts no more"
    assert shown(verdict="accept", judged_to=spell["since"]) == set()
    # As the acceptance counts: whoever said something else later said only that, and known outlines are no proposals.
    assert spell["fix"] == 0
    assert shown(verdict="fix") == set()
    known = put_mask(life[1], day(11), origin=Origin.AUTOMATIC)
    asked = Question.objects.create(mask=known, holder=reviewer, kind="known", expected="accept", expires_at=day(12))
    Verdict.objects.create(mask=known, question=asked, by=reviewer, answer="unsure")
    assert shown(verdict="unsure") == are(3)


@pytest.mark.parametrize("by", ["round", "day"])
def test_every_table_is_the_same_as_csv_and_as_json(life, ask, by, dataset, admin, as_user):
    figures = ask(by=by)
    assert set(TABLES) == {"rounds", "points", "quality", "marks", "acceptance", "origins", "people"}
    for table in TABLES:
        reply = as_user(admin).get(f"/api/datasets/{dataset.id}/figures/{table}.csv", {"by": by})
        assert reply["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(reply.content.decode())))
        as_text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in figures[table]]
        assert rows == as_text, table
        assert rows, table


def test_a_name_that_a_spreadsheet_would_run_stays_text(dataset, admin, as_user, live):
    Checkpoint.objects.update(name="=HYPERLINK(0)")
    reply = as_user(admin).get(f"/api/datasets/{dataset.id}/figures/rounds.csv")
    assert "'=HYPERLINK(0)" in reply.content.decode()


def test_a_new_dataset_has_a_dashboard_too(dataset, ask):
    figures = ask()
    assert [one["number"] for one in figures["rounds"]] == [1]
    assert figures["points"][0]["masks"] == 0
    assert (figures["quality"], figures["acceptance"], figures["people"]) == ([], [], [])


def test_the_number_of_questions_to_the_database_does_not_grow(
    life, dataset, admin, as_user, django_assert_max_num_queries
):
    client = as_user(admin)
    with django_assert_max_num_queries(18):
        client.get(f"/api/datasets/{dataset.id}/figures/", {"by": "round"})


@pytest.mark.parametrize("query", [{"by": "week"}, {"time_zone": "Mars/Olympus"}, {"time_zone": "../etc/passwd"}])
def test_a_question_that_makes_no_sense_is_refused(dataset, admin, as_user, query):
    for path in ("", "points.csv"):
        reply = as_user(admin).get(f"/api/datasets/{dataset.id}/figures/{path}", query)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")


def test_a_stranger_cannot_tell_whether_there_are_figures(dataset, stranger, admin, as_user):
    for path in ("", "points.csv", "people.csv"):
        assert as_user(stranger).get(f"/api/datasets/{dataset.id}/figures/{path}").status_code == 404
    assert as_user(admin).get(f"/api/datasets/{dataset.id}/figures/secrets.csv").status_code == 404
