"""Masks that the model offers: from the detector's boxes to rows, each once."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.annotation.models import Mask, MaskState, Origin
from backend.autolabel.jobs import MAX_ATTEMPTS
from backend.autolabel.models import Detector, Proposal, ProposalJob
from backend.autolabel.proposals import proposal_job_run, proposals_request, proposals_sweep, review_rules_set
from backend.checkpoints.models import Checkpoint
from backend.common.models import Event
from backend.datasets.models import Dataset, Image, Split, Stage
from backend.datasets.services import dataset_stage_set
from engine import masks as run_lengths
from engine.errors import PromptInvalid


@pytest.fixture
def semi(dataset: Dataset, admin: User) -> Dataset:
    dataset_stage_set(dataset=dataset, stage=Stage.SEMI_AUTOMATIC, by=admin)
    dataset.refresh_from_db()
    return dataset


def test_proposals_are_stored_once_however_often_the_task_comes(
    semi: Dataset, detector: Detector, photo: Image, live: Checkpoint
) -> None:
    assert proposals_request(dataset=semi) == 1
    assert proposals_request(dataset=semi) == 0
    job = ProposalJob.objects.get()
    proposal_job_run(job_id=job.id)
    first = set(Mask.objects.values_list("id", flat=True))
    assert first
    proposal_job_run(job_id=job.id)
    ProposalJob.objects.update(state="waiting")  # as the second of two workers saw it when it began ...
    stale = ProposalJob.objects.select_related("image", "detector", "checkpoint").get()
    ProposalJob.objects.update(state="done")
    from backend.autolabel import proposals

    found, _ = proposals._propose(stale.image, detector, live)
    assert found  # ... and had its masks ready
    proposal_job_run(job_id=job.id)
    assert set(Mask.objects.values_list("id", flat=True)) == first
    assert Proposal.objects.count() == len(first)
    assert Event.objects.filter(kind="proposals.made").count() == 1

    photo.refresh_from_db()
    assert photo.proposed_at is not None
    assert photo.doubt == pytest.approx(np.mean(Proposal.objects.values_list("doubt", flat=True)))
    assert photo.annotated_at is None
    for mask in Mask.objects.select_related("proposal"):
        assert (mask.origin, mask.state) == (Origin.PROPOSED, MaskState.PROPOSED)
        assert mask.checkpoint == live
        assert mask.proposal.detector == detector
        assert mask.proposal.confidence == pytest.approx(0.9)
        assert 0 <= mask.proposal.doubt <= 1
        run_lengths.check(run_lengths.Rle(size=list(photo.size), counts=mask.counts), photo.size)


def test_a_second_worker_that_finishes_later_adds_nothing(
    semi: Dataset, detector: Detector, photo: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first was silent for so long that another took over, who stores the masks in the middle of its work."""
    from backend.autolabel import proposals

    proposals_request(dataset=semi)
    job = ProposalJob.objects.get()
    real, calls = proposals._propose, []

    def slow(*arguments: Any) -> Any:
        found = real(*arguments)
        calls.append(1)
        if len(calls) == 1:
            ProposalJob.objects.update(heartbeat_at=None)
            proposal_job_run(job_id=job.id)
        return found

    monkeypatch.setattr(proposals, "_propose", slow)
    proposal_job_run(job_id=job.id)
    assert len(calls) == 2
    assert Mask.objects.count() == ProposalJob.objects.get().mask_count == Proposal.objects.count()


def test_test_photos_and_photos_in_work_are_left_to_people(
    semi: Dataset,
    detector: Detector,
    add_photo: Callable[..., Image],
    as_user: Callable[[User], APIClient],
    annotator: User,
) -> None:
    add_photo(seed=1, split=Split.TEST)
    add_photo(seed=2, split=Split.HOLDOUT)
    free = add_photo(seed=3)
    proposals_request(dataset=semi)
    assert list(ProposalJob.objects.values_list("image_id", flat=True)) == [free.id]
    as_user(annotator).post(f"/api/images/{free.id}/open/")  # in their hands before the worker came to it
    proposal_job_run(job_id=ProposalJob.objects.get().id)
    assert ProposalJob.objects.get().state == "skipped"
    assert not Mask.objects.exists()


def test_nothing_is_offered_below_the_precision_that_is_asked_for(
    semi: Dataset, detector: Detector, photo: Image, admin: User
) -> None:
    review_rules_set(dataset=semi, by=admin, precision=0.9)
    assert proposals_request(dataset=semi) == 0  # it promises 0.8 at most
    review_rules_set(dataset=semi, by=admin, precision=0.8)
    assert proposals_request(dataset=semi) == 1


def test_a_failed_photo_says_why_and_is_tried_again_once_an_admin_says_so(
    semi: Dataset,
    detector: Detector,
    photo: Image,
    annotator: User,
    stranger: User,
    admin: User,
    as_user: Callable[[User], APIClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from backend.autolabel import proposals

    def broken(*_: object, **__: object) -> None:
        raise PromptInvalid("nothing to see")

    proposals_sweep()
    job = ProposalJob.objects.get()
    with monkeypatch.context() as for_a_while:
        for_a_while.setattr(proposals.engine, "propose_masks", broken)
        for _ in range(MAX_ATTEMPTS):
            proposal_job_run(job_id=job.id)
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "nothing to see")
    assert not Mask.objects.exists()

    url = f"/api/datasets/{semi.id}"
    told = as_user(annotator).get(f"{url}/review/").json()["proposals"]
    assert told["failed"] == 1
    assert told["failures"] == [{"image": str(photo.id), "file_name": photo.file_name, "error": job.error}]
    assert as_user(annotator).post(f"{url}/proposals/retry/").status_code == 403
    assert as_user(stranger).post(f"{url}/proposals/retry/").status_code == 404
    assert as_user(admin).post(f"{url}/proposals/retry/").status_code == 204
    proposal_job_run(job_id=job.id)
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    again = as_user(admin).post(f"{url}/proposals/retry/")
    assert (again.status_code, again.json()["code"]) == (409, "nothing_failed")


def test_what_is_there_already_is_not_proposed_again(
    semi: Dataset, detector: Detector, photo: Image, live: Checkpoint
) -> None:
    from backend.autolabel import proposals

    found, _ = proposals._propose(photo, detector, live)
    known = found[0]
    x0, y0, x1, y1 = known.box
    Mask.objects.create(
        id=uuid4(),
        image=photo,
        counts=known.rle["counts"],
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        area=known.area,
        origin=Origin.IMPORTED,
        content_hash="known",
    )
    again, _ = proposals._propose(photo, detector, live)
    assert known.rle["counts"] not in [one.rle["counts"] for one in again]


def test_a_proposal_of_a_click_keeps_the_click_and_one_of_a_box_the_box(
    semi: Dataset, detector: Detector, photo: Image
) -> None:
    proposals_request(dataset=semi)
    proposal_job_run(job_id=ProposalJob.objects.get().id)
    kinds = set()
    for mask in Mask.objects.all():
        (prompt,) = mask.prompts
        kinds.add(prompt["kind"])
        if prompt["kind"] == "point":
            (x, y), label = prompt["at"], prompt["label"]
            assert 0 <= x <= photo.width
            assert 0 <= y <= photo.height
            assert label == 1
        else:
            x0, y0, x1, y1 = prompt["box"]
            assert 0 <= x0 < x1 <= photo.width
            assert 0 <= y0 < y1 <= photo.height
    assert kinds <= {"point", "box"}
    assert kinds


def test_a_detector_that_knows_another_decoders_masks_proposes_nothing(semi: Dataset, detector: Detector) -> None:
    Detector.objects.update(decoder_hash="another")
    assert proposals_request(dataset=semi) == 0


@pytest.fixture
def one_ahead(
    semi: Dataset, detector: Detector, admin: User, add_photo: Callable[..., Image], settings: Any
) -> list[Image]:
    """Photos in a dataset of which one is proposed ahead; nothing is left to chance."""
    settings.PROPOSALS_AHEAD = 1
    review_rules_set(dataset=semi, by=admin, verified_twice_share=0, known_share=0)
    return [add_photo(seed=seed) for seed in range(3)]


def _propose_next(dataset: Dataset) -> None:
    assert proposals_request(dataset=dataset) == 1
    assert proposals_request(dataset=dataset) == 0
    proposal_job_run(job_id=ProposalJob.objects.get(state="waiting").id)


def test_photos_that_are_verified_and_not_completed_make_room_for_others(
    semi: Dataset, one_ahead: list[Image], annotator: User, as_user: Callable[[User], APIClient]
) -> None:
    _propose_next(semi)
    assert proposals_request(dataset=semi) == 0
    client = as_user(annotator)
    while questions := client.post(f"/api/datasets/{semi.id}/questions/", {}, format="json").json()["questions"]:
        assert proposals_request(dataset=semi) == 0
        for question in questions:
            body = {"question": question["id"], "answer": "accept", "seconds": 1}
            assert client.put(f"/api/verdicts/{uuid4()}/", body, format="json").status_code == 201
    assert not Image.objects.filter(annotated_at__isnull=False).exists()
    _propose_next(semi)


def test_photos_that_nobody_completes_are_proposed_ahead_so_far_and_no_further(
    semi: Dataset, one_ahead: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detector that finds nothing leaves nothing to verify."""
    from backend.autolabel import proposals

    monkeypatch.setattr(proposals, "UNCOMPLETED_FOR_EACH_AHEAD", 2)
    monkeypatch.setattr(proposals, "_propose", lambda *_: ([], 0))
    _propose_next(semi)
    _propose_next(semi)
    assert proposals_request(dataset=semi) == 0
    Image.objects.filter(proposal_job__state="done").update(annotated_at=semi.created_at)
    assert proposals_request(dataset=semi) == 1


@pytest.mark.parametrize("order", ["random", "doubt", "import"])
def test_photos_are_proposed_in_the_datasets_order(
    semi: Dataset, one_ahead: list[Image], admin: User, order: str
) -> None:
    first, second, third = one_ahead
    Image.objects.filter(id=third.id).update(doubt=0.9)
    Image.objects.filter(id=second.id).update(content_hash="0" * 64)
    review_rules_set(dataset=semi, by=admin, order=order)
    _propose_next(semi)
    assert ProposalJob.objects.get().image == {"random": second, "doubt": third, "import": first}[order]
