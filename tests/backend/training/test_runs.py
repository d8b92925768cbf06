"""A training run from the request to the verdict, with a real engine in a child process."""

import threading
import time

import pytest
from django.db import connection
from django.db.models.functions import Now

from backend.checkpoints.models import Checkpoint, Deployment
from backend.common.models import Event
from backend.common.storage import get_storage
from backend.datasets.models import Split
from backend.training import services
from backend.training.models import Decision, RunState, TrainingRun
from backend.training.services import training_run_request, training_run_work, training_runs_sweep

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


def test_retraining_trains_a_candidate_and_the_gate_decides(dataset, labelled, start, admin, as_user):
    reply = start()
    assert reply.status_code == 201, reply.content
    training_run_work(run_id=reply.json()["id"])
    run = as_user(admin).get(f"/api/training-runs/{reply.json()['id']}/").json()
    assert run["state"] == "done", run["error"]
    assert run["decision"] in ("promoted", "refused")
    assert run["verdict"]["evidence"]["images"] == 1
    assert [figure["key"] for figure in run["verdict"]["figures"]] == ["miou_1", "miou_3", "miou_5", "noc90"]
    assert [point["step"] for point in run["history"]] == [1, 2, 3, 4]
    assert run["mask_count"] == 4  # of the two train photos; test photos are never learnt from
    base, candidate = Checkpoint.objects.get(id=run["base"]), Checkpoint.objects.get(id=run["candidate"])
    assert candidate.encoder_hash == base.encoder_hash
    assert candidate.decoder_hash != base.decoder_hash
    live = Deployment.objects.get(dataset=dataset, until__isnull=True).checkpoint
    assert live == (candidate if run["decision"] == "promoted" else base)


def test_a_second_delivery_of_a_training_run_changes_nothing(labelled, start):
    run_id = start().json()["id"]
    training_run_work(run_id=run_id)
    before = (Checkpoint.objects.count(), Deployment.objects.count(), Event.objects.count())
    training_run_work(run_id=run_id)
    assert (Checkpoint.objects.count(), Deployment.objects.count(), Event.objects.count()) == before


def test_two_deliveries_at_once_train_once(labelled, start, monkeypatch):
    run_id = start().json()["id"]
    done = []
    monkeypatch.setattr(services._Work, "do", lambda self: (time.sleep(0.3), done.append(self.worker)))

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


def test_a_run_whose_worker_died_is_claimed_again_and_ends(labelled, start, monkeypatch):
    run_id = start().json()["id"]
    # A worker that took it and was killed: its heartbeat is old.
    TrainingRun.objects.filter(id=run_id).update(
        state=RunState.TRAINING, worker="dead", heartbeat_at=Now() - services.HEARTBEAT_STALE_AFTER * 2, attempts=1
    )
    sent = []
    monkeypatch.setattr("backend.training.tasks.work_on_training_run.delay", sent.append)
    training_runs_sweep()
    assert sent == [run_id]
    training_run_work(run_id=sent[0])
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.attempts) == (RunState.DONE, 2)


def test_a_live_workers_run_is_not_taken_from_it(labelled, start):
    run_id = start().json()["id"]
    TrainingRun.objects.filter(id=run_id).update(state=RunState.TRAINING, worker="alive", heartbeat_at=Now())
    training_run_work(run_id=run_id)
    assert TrainingRun.objects.get(id=run_id).worker == "alive"


def test_a_run_that_kills_every_worker_fails_with_the_reason(labelled, start):
    run_id = start().json()["id"]
    TrainingRun.objects.filter(id=run_id).update(attempts=services.MAX_ATTEMPTS)
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


def test_too_little_evidence_leaves_the_decision_to_the_admin(dataset, labelled, start, admin, as_user, live):
    dataset.test_images_wanted = 20
    dataset.save()
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


def test_an_annotator_may_not_retrain(dataset, labelled, annotator, as_user):
    reply = as_user(annotator).post(f"/api/datasets/{dataset.id}/training-runs/", {}, format="json")
    assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")


def test_a_policy_starts_a_run_after_so_many_new_masks(dataset, labelled, admin, as_user):
    path = f"/api/datasets/{dataset.id}/retrain-policy/"
    body = {"enabled": True, "after_new_masks": 4, "recipe": "debug_decoder"}
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


def test_retraining_on_the_same_masks_makes_the_same_checkpoint_and_still_gets_a_verdict(labelled, start):
    runs = []
    for _ in range(2):
        run_id = start().json()["id"]
        training_run_work(run_id=run_id)
        runs.append(TrainingRun.objects.get(id=run_id))
        Deployment.objects.filter(until__isnull=True).update(checkpoint=runs[0].base)  # the same beginning
    assert [run.state for run in runs] == [RunState.DONE, RunState.DONE], runs[-1].error
    assert runs[0].candidate_id == runs[1].candidate_id


def test_what_an_admin_made_live_meanwhile_is_not_replaced(dataset, labelled, start, admin, as_user, monkeypatch, live):
    from backend.checkpoints.services import deployment_make
    from backend.training.gate import Verdict

    monkeypatch.setattr(services, "decide", lambda *_: Verdict("promoted", "Better.", (), 1.0))
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
    monkeypatch.setattr(services._Work, "do", lambda _: 1 / 0)
    training_run_work(run_id=run_id)
    run = TrainingRun.objects.get(id=run_id)
    assert (run.state, run.error) == (RunState.FAILED, "division by zero")
