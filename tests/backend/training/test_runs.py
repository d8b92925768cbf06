"""A training run from the request to the verdict, with a real engine in a child process."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest
import torch
from django.db import connection
from django.db.models.functions import Now

from backend.annotation.models import Mask
from backend.checkpoints.models import Checkpoint, Deployment
from backend.common.models import Event
from backend.common.storage import get_storage
from backend.datasets.models import Split
from backend.inference.models import Embedding
from backend.training import child, claims, services, work
from backend.training.child import why_it_failed
from backend.training.detectors import detector_run_work
from backend.training.models import Decision, Evaluation, RunState, TrainingRun
from backend.training.selectors import finished_photos, gate_rule_of
from backend.training.services import training_run_request, training_run_work, training_runs_sweep
from engine import masks as run_lengths
from engine.cli import main
from tests.backend.training.test_gate import report

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def labelled(dataset, annotator, add_photo, label):
    add_photo(1, split=Split.TEST)
    for seed in (2, 3):
        add_photo(seed)
    for _ in range(3):
        label(annotator, masks=2)


@pytest.fixture
def start(dataset, admin, as_user):
    def post(recipe="debug_decoder"):
        return as_user(admin).post(f"/api/datasets/{dataset.id}/training-runs/", {"recipe": recipe}, format="json")

    return post


@pytest.fixture
def engine_here(monkeypatch, capsys):
    """Some of the engine's verbs in this process, which spares loading torch each time; other tests start the child."""

    def take(*verbs):
        def run(arguments, *, tell, **options):
            if arguments[0] not in verbs:
                return child.run_engine(arguments, tell=tell, **options)
            assert main(arguments) == 0
            for line in capsys.readouterr().out.splitlines():
                child._relay(line, tell)
            return None

        monkeypatch.setattr(work, "run_engine", run)

    return take


def test_retraining_trains_a_candidate_the_gate_decides_and_a_second_delivery_changes_nothing(
    dataset, labelled, start, admin, as_user, annotator, add_photo, label
):
    add_photo(4, split=Split.TEST)
    label(annotator, masks=2)
    reply = start()
    assert reply.status_code == 201, reply.content
    training_run_work(run_id=reply.json()["id"])
    run = as_user(admin).get(f"/api/training-runs/{reply.json()['id']}/").json()
    assert run["state"] == "done", run["error"]
    assert run["decision"] in ("promoted", "refused")
    assert run["verdict"]["evidence"]["images"] == 2
    evidence = run["verdict"]["evidence"]
    # People took the live model's pixels as they were, and the verdict says so.
    assert (evidence["masks"], evidence["masks_by_model"], evidence["masks_by_live"]) == (4, 4, 4)
    assert (evidence["groups"], evidence["groups_wanted"]) == (2, 2)
    of_all = [figure["key"] for figure in run["verdict"]["figures"] if figure["size"] == "all"]
    assert of_all == ["miou_1", "miou_3", "miou_5", "noc90", "oracle_gap"]
    assert len({figure["size"] for figure in run["verdict"]["figures"]}) > 1
    assert run["hardware"]["cores"] >= 1
    log = as_user(admin).get(f"/api/training-runs/{run['id']}/log/").content.decode()
    for words in ("Attempt 1", "Step ", "The candidate model on 2 test photos: mIoU", f"The gate: {run['decision']}."):
        assert words in log
    assert [point["step"] for point in run["history"]] == [1, 2, 3, 4]
    assert run["mask_count"] == 4  # of the two train photos; test photos are never learnt from
    base, candidate = Checkpoint.objects.get(id=run["base"]), Checkpoint.objects.get(id=run["candidate"])
    assert candidate.encoder_hash == base.encoder_hash
    assert candidate.decoder_hash != base.decoder_hash
    live = Deployment.objects.get(dataset=dataset, until__isnull=True).checkpoint
    assert live == (candidate if run["decision"] == "promoted" else base)
    before = (Checkpoint.objects.count(), Deployment.objects.count(), Event.objects.count())
    training_run_work(run_id=run["id"])
    assert (Checkpoint.objects.count(), Deployment.objects.count(), Event.objects.count()) == before


def test_each_worker_trains_and_evaluates_on_the_device_that_it_has(labelled, start, engine_here, monkeypatch):
    engine_here("train", "evaluate")
    in_process, asked = work.run_engine, []

    def on_this_machine(arguments, **options):
        at = arguments.index("--device") + 1
        asked.append((arguments[0], arguments[at]))
        if len(asked) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "where the work is")
        return in_process([*arguments[:at], "cpu", *arguments[at + 1 :]], **options)

    monkeypatch.setattr(work, "run_engine", on_this_machine)
    run_id, found = start().json()["id"], {"name": "a machine", "gpus": 1, "cores": 1}
    for device in ("cuda", "cpu"):
        monkeypatch.setattr(work.engine, "hardware", lambda device=device: {**found, "device": device})
        training_run_work(run_id=run_id)
        TrainingRun.objects.filter(id=run_id).update(heartbeat_at=Now() - 2 * claims.HEARTBEAT_STALE_AFTER)
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.hardware["device"]) == (RunState.DONE, "cpu"), run.error
    assert asked == [("train", "cuda"), ("evaluate", "cuda"), ("evaluate", "cpu"), ("evaluate", "cpu")]


def test_what_is_live_is_evaluated_once_on_the_same_masks(dataset, labelled, admin, engine_here, monkeypatch):
    engine_here("train", "evaluate")
    in_process, evaluated = work.run_engine, []

    def counted(arguments, **options):
        evaluated.extend(arguments[:1] if arguments[0] == "evaluate" else [])
        return in_process(arguments, **options)

    monkeypatch.setattr(work, "run_engine", counted)
    (tested,) = finished_photos(dataset, Split.TEST)
    for seed in (0, 1):
        run = training_run_request(dataset=dataset, by=admin, recipe="debug_decoder", seed=seed)
        training_run_work(run_id=run.id)
        run.refresh_from_db()
        assert (run.state, len(run.verdict["figures"]) > 0) == (RunState.DONE, True), run.error
    assert len(evaluated) == 2 + 1  # both, and then the new candidate alone
    with get_storage().local(run.base.storage_key) as weights:
        assert not (weights.parents[1] / "evaluations").exists(), "a report goes with its dataset"
    assert {len(one.asked) for one in Evaluation.objects.all()} == {64}
    photo, masks = str(tested[0].id), tested[1]
    kept = {one.photos[photo]["masks"] for one in Evaluation.objects.filter(split=Split.TEST)}
    assert kept == {finished_photos(dataset, Split.TEST).digests()[photo]}
    Mask.objects.filter(id=masks[0].id).update(id=uuid4())  # as a correction within its size is
    assert kept != {finished_photos(dataset, Split.TEST).digests()[photo]}


def test_a_recipe_that_learns_the_encoder_learns_from_photos_and_is_judged_on_new_embeddings(
    dataset, labelled, start, engine_here
):
    engine_here("train", "evaluate")
    reply = start("debug_finetune")
    assert reply.status_code == 201, reply.content
    run_id = reply.json()["id"]
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert run.state == RunState.DONE, run.error
    assert run.candidate.encoder_hash != run.base.encoder_hash
    tested = Embedding.objects.filter(image__split=Split.TEST, image__dataset=dataset)
    assert set(tested.values_list("encoder_hash", flat=True)) == {run.base.encoder_hash, run.candidate.encoder_hash}


def test_two_deliveries_at_once_train_once(labelled, start, monkeypatch):
    run_id = start().json()["id"]
    done = []
    monkeypatch.setattr(services.Work, "do", lambda self: (time.sleep(0.3), done.append(self.claim.worker)))

    def work():
        try:
            training_run_work(run_id=run_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1


def test_one_run_at_a_time(labelled, start):
    assert start().status_code == 201
    reply = start()
    assert (reply.status_code, reply.json()["code"]) == (409, "training_run_unfinished")


def test_without_masks_there_is_nothing_to_train_on(dataset, photo, start):
    reply = start()
    assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_train_on")
    assert start("no such recipe").json()["code"] == "recipe_unknown"


def test_a_live_workers_run_is_not_taken_from_it(labelled, start):
    run_id = start().json()["id"]
    TrainingRun.objects.filter(id=run_id).update(state=RunState.TRAINING, worker="alive", heartbeat_at=Now())
    training_run_work(run_id=run_id)
    assert TrainingRun.objects.get(id=run_id).worker == "alive"


def test_a_run_that_kills_every_worker_fails_with_the_reason(labelled, start):
    run_id = start().json()["id"]
    TrainingRun.objects.filter(id=run_id).update(attempts=claims.MAX_ATTEMPTS)
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert run.state == RunState.FAILED
    assert "died" in run.error


def test_a_cancelled_run_stops_its_engine_and_leaves_what_serves(dataset, labelled, start, admin, as_user, live):
    run_id = start("decoder").json()["id"]
    thread = threading.Thread(target=lambda: (training_run_work(run_id=run_id), connection.close()))
    thread.start()
    end = time.monotonic() + 60
    while TrainingRun.objects.get(id=run_id).state != RunState.TRAINING and time.monotonic() < end:
        time.sleep(0.1)
    assert as_user(admin).post(f"/api/training-runs/{run_id}/cancel/").status_code == 204
    thread.join(60)
    assert not thread.is_alive()
    assert TrainingRun.objects.get(id=run_id).state == RunState.CANCELLED
    assert Deployment.objects.get(dataset=dataset, until__isnull=True).checkpoint == live


def test_too_little_evidence_leaves_the_decision_to_the_admin(
    dataset, labelled, start, admin, as_user, live, engine_here
):
    engine_here("train", "evaluate")
    rule = as_user(admin).patch(f"/api/datasets/{dataset.id}/gate-rule/", {"images_wanted": 20}, format="json")
    assert rule.json()["images_wanted"] == 20
    run_id = start().json()["id"]
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert run.decision == Decision.INSUFFICIENT_EVIDENCE
    assert "19 more test photos" in run.verdict["reason"]
    serving = Deployment.objects.filter(dataset=dataset, until__isnull=True)
    assert serving.get().checkpoint == live
    path = f"/api/datasets/{dataset.id}"
    reply = as_user(admin).post(f"{path}/deployments/", {"checkpoint": str(run.candidate_id)}, format="json")
    assert reply.status_code == 201
    assert serving.get().checkpoint_id == run.candidate_id
    assert as_user(admin).post(f"{path}/rollback/").status_code == 201
    assert serving.get().checkpoint == live
    assert Deployment.objects.filter(dataset=dataset).count() == 3  # history is kept


@pytest.mark.parametrize(("test", "holdout", "decision"), [(0.3, -0.3, "promoted"), (-0.3, 0.3, "refused")])
def test_figures_of_the_holdout_are_shown_and_decide_nothing(
    dataset, labelled, start, live, tmp_path, test, holdout, decision
):
    reply = start().json()

    def by_how_much(gain):
        return {"live": report([0.5] * 4), "candidate": report([0.5 + gain] * 4)}

    run = work.Work(claims.claim_take(claims.TRAINING, reply["id"]), tmp_path)
    run._decide(live, {Split.TEST: by_how_much(test), Split.HOLDOUT: by_how_much(holdout)})
    done = TrainingRun.objects.get()
    assert done.decision == decision
    shown = next(figure for figure in done.verdict["holdout"] if figure["key"] == "miou_1")
    assert shown["difference"] == pytest.approx(holdout)


def test_a_gate_that_judges_by_brushed_masks_alone_leaves_out_what_a_model_drew(
    dataset, labelled, add_photo, label, annotator, admin, as_user, live
):
    (tested,) = [photo for photo, _ in finished_photos(dataset, Split.TEST)]
    made = Mask.objects.filter(image=tested).order_by("id")
    assert finished_photos(dataset, Split.TEST).drawn_by == {live.id: 2}
    assert len(finished_photos(dataset, Split.TEST, only_brushed=True)) == 0
    Mask.objects.filter(id=made[0].id).update(origin="brush")
    assert finished_photos(dataset, Split.TEST).drawn_by == {live.id: 1}
    ((_, masks),) = finished_photos(dataset, Split.TEST, only_brushed=True)
    assert masks == [made[0]]
    path = f"/api/datasets/{dataset.id}/gate-rule/"
    assert as_user(admin).get(path).json()["only_brushed"] is False
    assert as_user(admin).patch(path, {"only_brushed": True}, format="json").json()["only_brushed"] is True
    assert gate_rule_of(dataset).only_brushed


def test_an_annotator_may_not_retrain(dataset, labelled, annotator, as_user):
    reply = as_user(annotator).post(f"/api/datasets/{dataset.id}/training-runs/", {}, format="json")
    assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")


def test_a_policy_starts_a_run_after_so_many_new_masks(dataset, labelled, admin, as_user):
    path = f"/api/datasets/{dataset.id}/retrain-policy/"
    body = {"enabled": True, "after_new_masks": 4, "recipe": "debug_decoder", "settle_minutes": 0}
    assert as_user(admin).patch(path, body, format="json").status_code == 200
    services.policies_run()
    services.policies_run()
    assert TrainingRun.objects.get().recipe == "debug_decoder"


def test_a_candidate_that_is_a_pickle_is_refused_and_nothing_of_it_runs(tmp_path, dataset):
    import pickle

    from backend.checkpoints.errors import CheckpointRefused
    from backend.checkpoints.services import checkpoint_register

    proof = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(proof), "w"))

    file = tmp_path / "evil.safetensors"
    file.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointRefused, match="not a safetensors file"):
        checkpoint_register(file=file, name="evil", dataset=dataset)
    assert not proof.exists()
    assert not Checkpoint.objects.filter(name="evil").exists()


def test_weights_are_stored_by_their_content(live):
    assert get_storage().size(live.storage_key)


def test_the_request_freezes_what_is_learnt(dataset, admin, labelled, annotator, add_photo, label):
    run = training_run_request(dataset=dataset, by=admin, recipe="debug_decoder")
    add_photo(9)
    label(annotator)
    assert run.frozen_set.mask_count == run.frozen_set.members.count() == 4


def test_what_an_admin_made_live_meanwhile_is_not_replaced(
    dataset, labelled, start, admin, as_user, monkeypatch, live, engine_here
):
    from backend.checkpoints.services import deployment_make
    from backend.training.gate import Verdict

    engine_here("train", "evaluate")
    monkeypatch.setattr(work, "decide", lambda *_: Verdict("promoted", "Better.", (), 1.0))
    first = start().json()["id"]
    training_run_work(run_id=first)
    better = TrainingRun.objects.get(id=first).candidate
    serving = Deployment.objects.filter(dataset=dataset, until__isnull=True)
    assert serving.get().checkpoint == better
    second = as_user(admin).post(
        f"/api/datasets/{dataset.id}/training-runs/", {"recipe": "debug_decoder", "seed": 5}, format="json"
    )
    deployment_make(dataset=dataset, checkpoint=live, reason="by hand", by=admin)
    training_run_work(run_id=second.json()["id"])
    run = TrainingRun.objects.get(id=second.json()["id"])
    assert run.decision == Decision.INSUFFICIENT_EVIDENCE
    assert "another model was made live" in run.verdict["reason"]
    assert serving.get().checkpoint == live


def test_a_fault_in_the_worker_fails_the_run_with_the_reason(labelled, start, monkeypatch):
    run_id = start().json()["id"]
    monkeypatch.setattr(services.Work, "do", lambda _: 1 / 0)
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert run.state == RunState.FAILED
    said = "The training worker met a fault of its own (ZeroDivisionError: division by zero). The log has more."
    assert run.error == said
    assert "Traceback" in run.log
    assert run.log.splitlines()[-1].endswith(said)


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        (2, ["a warning\n", "engine: too few complete photos\n"], "too few complete photos"),
        (3, [], "The engine ended with status 3."),
        (
            1,
            ["Traceback (most recent call last):\n", "  File ...\n", "KeyError: 'x'\n"],
            "The engine met a fault of its own (KeyError: 'x'). The log has more.",
        ),
    ],
)
def test_why_an_engine_ended_is_said_in_a_sentence(status, words, said):
    assert why_it_failed(status, words) == said


def test_a_log_has_what_was_said_is_bounded_and_is_for_admins(
    labelled, start, annotator, stranger, admin, as_user, monkeypatch
):
    run_id = start().json()["id"]
    monkeypatch.setattr(claims, "MAX_LOG_CHARACTERS", 400)
    claim = claims.claim_take(claims.TRAINING, run_id)
    claim.say("first\nsecond")
    assert claim.beat()
    for number in range(20):
        claim.say(f"line {number}")
        claim.beat()
    url = f"/api/training-runs/{run_id}/log/"
    whole = as_user(admin).get(url)
    assert whole["Content-Type"] == "text/plain; charset=utf-8"
    assert "attachment" in whole["Content-Disposition"]
    lines = whole.content.decode().splitlines()
    assert "Attempt 1" in lines[0]
    assert [line[21:] for line in lines[1:3]] == ["first", "second"]
    assert lines[-1] == "The log ends here: a run's log has no more room."
    assert len(whole.content) < 600
    assert as_user(admin).get(url, {"lines": 2}).content.decode().splitlines() == lines[-2:]
    for bad in ("0", "many", "-1"):
        assert as_user(admin).get(url, {"lines": bad}).status_code == 400
    assert as_user(annotator).get(url).status_code == 403
    assert as_user(stranger).get(url).status_code == 404
    assert "log" not in as_user(admin).get(f"/api/training-runs/{run_id}/").json()


def test_a_folder_whose_run_went_with_its_dataset_is_removed(tmp_path, settings):
    settings.WORK_FOLDER = tmp_path
    for kind in (claims.TRAINING, claims.DETECTORS):
        folder = kind.folder_of("01a20b4e-d144-76b6-a524-7a0d7b7bf512")
        folder.mkdir(parents=True)
        claims.folders_sweep(kind)
        assert not folder.exists()


def test_a_worker_killed_while_it_trains_leaves_a_run_that_the_next_one_finishes_with_the_same_weights(
    labelled, start, monkeypatch, dataset, engine_here, behind
):
    engine_here("evaluate")

    def run_through(run_id):
        training_run_work(run_id=run_id)
        run = TrainingRun.objects.get(id=run_id)
        assert run.state == RunState.DONE, run.error
        return run

    undisturbed = run_through(start().json()["id"])
    Deployment.objects.filter(until__isnull=True).update(checkpoint=undisturbed.base)  # the same beginning
    run_id = start().json()["id"]
    code = (
        "import sys, django; django.setup()\n"
        "from backend.training import work\n"
        "from backend.training.services import training_run_work\n"
        "tell = work.Work._tell\n"
        "def slowly(self, line):\n"  # so that the kill comes in the middle
        "    tell(self, line); print(line.get('step', ''), flush=True); import time; time.sleep(30)\n"
        "work.Work._tell = slowly\n"
        "training_run_work(run_id=sys.argv[1])"
    )
    name = connection.settings_dict["NAME"]
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    environment = {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "backend.config.settings"}
    worker = subprocess.Popen([sys.executable, "-c", code, run_id], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout.readline().strip() == "1"  # of four steps
    finally:
        worker.kill()
        worker.wait()
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.attempts) == (RunState.TRAINING, 1)
    TrainingRun.objects.filter(id=run_id).update(heartbeat_at=Now() - claims.HEARTBEAT_STALE_AFTER * 2)
    sent = []
    behind(0)
    monkeypatch.setattr("backend.training.tasks.work_on_training_run.delay_on_commit", sent.append)
    training_runs_sweep()
    assert sent == [run_id]
    resumed = run_through(run_id)
    (taken,) = Event.objects.filter(kind="training_run.taken_over")
    assert (taken.subject_id, taken.data["attempt"]) == (run.id, 2)
    assert resumed.candidate == undisturbed.candidate  # checkpoints are known by the hash of their file
    assert [told["step"] for told in resumed.history] == [1, 2, 3, 4]


@pytest.mark.parametrize("upgraded", [True, False])
def test_a_run_begins_anew_where_the_engine_goes_on_from_no_such_state_and_says_so(
    labelled, start, engine_here, upgraded
):
    """Of a recipe that an upgrade has changed; or damaged."""
    engine_here("evaluate")
    run_id = start().json()["id"]
    left = {"progress": {"step": 30, "steps": 40}, "history": [{"step": 30, "loss": 1}]}
    TrainingRun.objects.filter(id=run_id).update(
        state=RunState.TRAINING, attempts=1, heartbeat_at=Now() - 2 * claims.HEARTBEAT_STALE_AFTER, **left
    )
    folder = claims.TRAINING.folder_of(run_id)
    folder.mkdir(parents=True)
    (folder / work.CANDIDATE).write_bytes(b"the best so far")
    state = folder / f"{work.CANDIDATE}.state"
    if upgraded:
        torch.save({"run": json.dumps([{"steps": 40}, False]), "given": {}, "step": 30}, state)
    else:
        state.write_bytes(b"half of it")
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.error) == (RunState.DONE, "")
    assert [told["step"] for told in run.history] == [1, 2, 3, 4]
    (event,) = Event.objects.filter(kind="training_run.begun_anew")
    assert (event.subject_id, event.dataset_id) == (run.id, run.dataset_id)
    assert event.data["reason"].endswith("is of a run with other settings" if upgraded else "cannot be read")
    assert "the run begins anew, from its first step." in run.log


def test_what_was_trained_is_evaluated_by_a_worker_on_another_machine_and_not_trained_again(
    labelled, start, engine_here, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    engine_here("train", "evaluate")
    run_id = start().json()["id"]
    with monkeypatch.context() as dying:
        dying.setattr(work.Work, "_evaluate", killed)
        with pytest.raises(Killed):
            training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    candidate = run.candidate
    assert (run.state, candidate is None) == (RunState.EVALUATING, False)
    shutil.rmtree(claims.TRAINING.folder_of(run_id))  # it lies on the other machine
    TrainingRun.objects.filter(id=run_id).update(heartbeat_at=Now() - 2 * claims.HEARTBEAT_STALE_AFTER)
    engine_here("evaluate")
    monkeypatch.setattr(child, "run_engine", lambda arguments, **_: pytest.fail(f"{arguments[0]} once more"))
    training_run_work(run_id=run_id)
    run.refresh_from_db()
    assert (run.state, run.candidate) == (RunState.DONE, candidate), run.error
    assert Checkpoint.objects.filter(dataset=run.dataset).count() == 1


def test_while_it_trains_a_run_shows_validation_figures_and_examples_of_photos_that_it_does_not_learn_from(
    dataset, annotator, add_photo, label, start, monkeypatch, as_user, admin
):
    monkeypatch.setattr(work, "KEPT_BACK_SHARE", 0.5)
    monkeypatch.setattr(work, "VALIDATE_EVERY_STEPS", 2)
    for seed in range(1, 5):
        add_photo(seed)
    for _ in range(4):
        label(annotator)
    run_id = start().json()["id"]
    training_run_work(run_id=run_id)
    told = as_user(admin).get(f"/api/training-runs/{run_id}/").json()
    assert [one["step"] for one in told["validation"]] == [2, 4]
    assert set(told["validation"][0]["miou"]) == {"1", "2", "3", "4", "5"}
    kept_back = work.kept_back_from(TrainingRun.objects.get(id=run_id).frozen_set)
    assert {example["photo"] for example in told["examples"]} == {str(photo) for photo in kept_back}
    for example in told["examples"]:
        truth = run_lengths.decode({"size": [example["side"]] * 2, "counts": example["truth"]})
        assert truth.any()


def test_a_cancelled_run_keeps_the_best_weights_so_far_beside_what_serves(
    dataset, annotator, add_photo, label, start, monkeypatch, as_user, admin, live
):
    monkeypatch.setattr(work, "KEPT_BACK_SHARE", 0.5)
    monkeypatch.setattr(work, "VALIDATE_EVERY_STEPS", 1)
    for seed in range(1, 5):
        add_photo(seed)
    for _ in range(4):
        label(annotator)
    run_id = start("decoder").json()["id"]
    told = work.Work._tell_validation

    def then_cancel(self, line):
        told(self, line)
        if line["best"]:
            as_user(admin).post(f"/api/training-runs/{run_id}/cancel/")

    monkeypatch.setattr(work.Work, "_tell_validation", then_cancel)
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.decision) == (RunState.CANCELLED, "")
    assert run.candidate.parent == live
    assert Deployment.objects.get(dataset=dataset, until__isnull=True).checkpoint == live


def test_of_a_cancelled_run_whose_worker_died_the_best_weights_are_kept_and_nothing_else(
    labelled, start, tmp_path, settings, tiny_weights, live
):
    settings.WORK_FOLDER = tmp_path / "work"
    run_id = start().json()["id"]
    folder = claims.TRAINING.folder_of(run_id)
    folder.mkdir(parents=True)
    shutil.copy(tiny_weights, folder / work.CANDIDATE)
    run = TrainingRun.objects.filter(id=run_id)
    training_runs_sweep()
    run.update(state=RunState.CANCELLED, finished_at=Now())
    training_runs_sweep()
    assert folder.is_dir(), "its worker may still be there"
    run.update(finished_at=Now() - 2 * claims.FOLDER_KEPT)
    training_runs_sweep()
    assert not folder.exists()
    assert run.get().candidate.file_hash == hashlib.sha256(tiny_weights.read_bytes()).hexdigest()


def test_a_worker_looks_after_the_folders_on_its_own_machine_before_it_begins_a_run(
    labelled, start, tmp_path, settings, tiny_weights, monkeypatch
):
    settings.WORK_FOLDER = tmp_path / "work"
    cancelled = start().json()["id"]
    folder = claims.TRAINING.folder_of(cancelled)
    folder.mkdir(parents=True)
    shutil.copy(tiny_weights, folder / work.CANDIDATE)
    long_ago = Now() - 2 * claims.FOLDER_KEPT
    TrainingRun.objects.update(state=RunState.CANCELLED, finished_at=long_ago)
    of_nobody = claims.DETECTORS.folder_of(cancelled)
    of_nobody.mkdir(parents=True)
    monkeypatch.setattr(work.Work, "do", lambda self: None)
    training_run_work(run_id=start().json()["id"])
    assert not folder.exists()
    assert TrainingRun.objects.get(id=cancelled).candidate is not None
    detector_run_work(run_id=uuid4())  # called for one that is gone
    assert not of_nobody.exists()


def test_photos_of_a_test_are_the_same_each_time_and_are_fetched_many_at_a_time(
    dataset, annotator, add_photo, label, django_assert_num_queries
):
    for seed in range(1, 6):
        add_photo(seed, split=Split.TEST)
    drawn_on = [label(annotator, masks=2) for _ in range(4)]
    with django_assert_num_queries(2):
        photos = finished_photos(dataset, Split.TEST)
    with django_assert_num_queries(2):
        first = [(photo.id, [mask.id for mask in masks]) for photo, masks in photos]
    assert {photo for photo, _ in first} == {photo.id for photo in drawn_on}
    assert [len(masks) for _, masks in first] == [2] * 4
    label(annotator)
    Mask.objects.filter(id=first[0][1][0]).update(state="rejected")
    assert [(photo.id, [mask.id for mask in masks]) for photo, masks in photos] == first


def test_an_admin_sets_what_the_gate_wants_and_others_only_read_it(dataset, admin, annotator, as_user):
    path = f"/api/datasets/{dataset.id}/gate-rule/"
    before = as_user(annotator).get(path).json()
    assert (before["images_wanted"], before["max_loss"]) == (1, 0.02)
    assert as_user(annotator).patch(path, {"max_loss": 0.5}, format="json").status_code == 403
    for bad in ({"max_loss": 2}, {"images_wanted": 0}, {"confidence": "often"}):
        assert as_user(admin).patch(path, bad, format="json").status_code == 400
    after = as_user(admin).patch(path, {"min_gain": 0.9, "masks_wanted": 2, "max_loss": 1}, format="json").json()
    assert after == {**before, "min_gain": 0.9, "masks_wanted": 2, "max_loss": 1.0}


def test_a_full_disk_is_not_the_runs_fault_and_who_takes_over_goes_on(labelled, start, monkeypatch):
    run_id = start().json()["id"]

    def full(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "where the work is")

    with monkeypatch.context() as no_room:
        no_room.setattr(work.Work, "_manifests", full)
        training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert run.state == RunState.TRAINING
    assert "disk of the worker is full" in run.error
    (told,) = Event.objects.filter(kind="training_run.interrupted")
    assert "No space left on device" in told.data["error"]
    training_run_work(run_id=run_id)  # not at once: it is tried again once it has been silent
    assert TrainingRun.objects.get(id=run_id).attempts == 1
    TrainingRun.objects.filter(id=run_id).update(heartbeat_at=Now() - 2 * claims.HEARTBEAT_STALE_AFTER)
    training_run_work(run_id=run_id)
    run.refresh_from_db()
    assert (run.state, run.error) == (RunState.DONE, "")
    (taken,) = Event.objects.filter(kind="training_run.taken_over")
    assert taken.data["attempt"] == 2
    # One that never fits says so in the end, not that its workers died.
    TrainingRun.objects.filter(id=run_id).update(
        state=RunState.TRAINING, attempts=claims.MAX_ATTEMPTS, error="The disk of the worker is full", heartbeat_at=None
    )
    training_run_work(run_id=run_id)
    assert TrainingRun.objects.get(id=run_id).error == "The disk of the worker is full"


def test_weights_that_take_their_time_to_the_storage_and_back_give_no_run_to_another_worker(
    labelled, start, monkeypatch
):
    monkeypatch.setattr(claims, "HEARTBEAT_STALE_AFTER", timedelta(seconds=1))
    monkeypatch.setattr(claims, "BEAT_EVERY_SECONDS", 0.2)
    run_id = start().json()["id"]
    storage, slow = type(get_storage()), []

    def slowly(act):
        def acts(self, key, *rest):
            if key.startswith("checkpoints/"):
                slow.append(key)
                time.sleep(1.5)
                training_run_work(run_id=run_id)  # another worker's call
            return act(self, key, *rest)

        return acts

    monkeypatch.setattr(storage, "put", slowly(storage.put))
    monkeypatch.setattr(storage, "local", slowly(storage.local))
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert len(slow) >= 3  # to embed photos and to begin with, the candidate's, and to be evaluated
    assert (run.state, run.attempts) == (RunState.DONE, 1)


def test_an_engine_that_is_killed_is_begun_again_by_whoever_takes_over(labelled, start):
    run_id = start().json()["id"]

    def kill_the_engine() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for process in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if "train" in process.cmdline():
                        process.kill()
                        return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_the_engine)
    killer.start()
    training_run_work(run_id=run_id)
    killer.join()
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.error) == (RunState.TRAINING, "The engine was ended from outside (SIGKILL).")
    assert Event.objects.filter(kind="training_run.interrupted").exists()


def test_only_deaths_without_progress_count_against_a_run(labelled, start):
    run_id = start().json()["id"]
    died = "The engine was ended from outside (SIGKILL)."
    TrainingRun.objects.filter(id=run_id).update(attempts=2, progress={"step": 10}, error=died)
    claim = claims.claim_take(claims.TRAINING, run_id)
    own = work.Work(claim, claims.TRAINING.folder_of(run_id))
    line = {"steps": 40, "loss": 1.0, "seconds_left": 1}
    own._tell({**line, "step": 10})
    run = TrainingRun.objects.get(id=run_id)
    assert (run.attempts, run.error) == (3, died)
    own.told_at = 0
    own._tell({**line, "step": 11})
    run.refresh_from_db()
    assert (run.attempts, run.error) == (1, "")


def test_a_cancelled_run_has_no_error_and_its_log_says_when_it_was_cancelled(labelled, start, admin, as_user):
    run_id = start().json()["id"]
    TrainingRun.objects.filter(id=run_id).update(error="The disk of the worker is full")
    assert as_user(admin).post(f"/api/training-runs/{run_id}/cancel/").status_code == 204
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.error) == (RunState.CANCELLED, "")
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  Cancelled by {admin.username}\.\n", run.log)


def test_while_the_database_is_away_training_goes_on(labelled, start):
    run_id = start().json()["id"]
    claim = claims.claim_take(claims.TRAINING, run_id)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION lock_timeout = 1")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM training_trainingrun WHERE id = %s FOR UPDATE", [run_id])
            assert claim.beat(), "what cannot be asked is no reason to stop"
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert claim.beat()
    TrainingRun.objects.filter(id=run_id).update(worker="another")
    assert not claim.beat()
