"""Masks that the model offers to people, photo by photo: the detector's boxes, made masks by the live checkpoint, where
enough of their like would be taken as they are."""

import hashlib
from collections import Counter
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.annotation.models import Assignment, Mask, MaskState, Origin, State
from backend.autolabel.doubt import corrected_shares, doubt_of, photo_doubt
from backend.autolabel.errors import NothingFailed
from backend.autolabel.jobs import ANEW, called_in_vain, calls_lost, job_attempt, jobs_wake
from backend.autolabel.models import Detector, JobState, Proposal, ProposalJob, ReviewRules
from backend.autolabel.prompts import prompts_of
from backend.autolabel.selectors import detector_of, images_to_propose, proposals_failed, rules_of
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.services import deployment_ensure
from backend.common.errors import DomainError
from backend.common.events import event_record
from backend.common.lots import LOTS
from backend.common.storage import get_storage, read
from backend.datasets.models import Dataset, Image, Stage
from backend.datasets.selectors import work_order
from backend.inference.services import embedding_ready
from engine import api as engine
from engine import masks as run_lengths

#: A proposal that overlaps a mask which is there already by more IoU than this is the same object.
SAME_OBJECT_IOU = 0.5
#: So many times `PROPOSALS_AHEAD` photos with proposals may wait to be completed: a detector that finds nothing would else go
#: through the whole dataset before the next one comes.
UNCOMPLETED_FOR_EACH_AHEAD = 10


@transaction.atomic
def review_rules_set(*, dataset: Dataset, by: User, **fields: Any) -> ReviewRules:
    """Change how proposals are offered and verified, from the next ones on.

    Args:
        fields: of `ReviewRules`, checked; and `order`, which is that of photos to be drawn, too, so it is the dataset's.
    """
    own = {name: value for name, value in fields.items() if name != "order"}
    rules, _ = ReviewRules.objects.update_or_create(dataset=dataset, defaults=own)
    if "order" in fields:
        Dataset.objects.filter(id=dataset.id).update(work_order=fields["order"])
        dataset.refresh_from_db()
    event_record("review_rules.set", subject=rules.id, dataset=dataset.id, by=by, fields=sorted(fields))
    rules.refresh_from_db()
    return rules


@transaction.atomic
def proposals_request(*, dataset: Dataset) -> int:
    """Have proposals made for as many photos as people will want soon. Returns how many photos were added.

    Ahead of those who verify is what nobody has judged yet: whoever completes photos, or gives second opinions, may come later.
    Asking twice at once adds each photo once: the database allows no second job of a photo.
    """
    if dataset.stage != Stage.SEMI_AUTOMATIC:
        return 0
    checkpoint = deployment_ensure(dataset=dataset)
    detector = detector_of(dataset, checkpoint)
    if detector is None or detector.threshold_for(rules_of(dataset).precision) is None:
        return 0
    jobs = ProposalJob.objects.filter(image__dataset=dataset)
    preparing = jobs.filter(state=JobState.WAITING).count()
    uncompleted = jobs.filter(state=JobState.DONE, image__annotated_at__isnull=True)
    unjudged = Proposal.objects.filter(
        image=OuterRef("image"), mask__state=MaskState.PROPOSED, mask__verdicts__isnull=True
    )
    room = min(
        settings.PROPOSALS_AHEAD - uncompleted.filter(Exists(unjudged)).count(),
        UNCOMPLETED_FOR_EACH_AHEAD * settings.PROPOSALS_AHEAD - uncompleted.count(),
    )
    room -= preparing
    if room <= 0:
        return 0
    images = list(images_to_propose(dataset).order_by(*work_order(dataset))[:room])
    new = [ProposalJob(image=image, detector=detector, checkpoint=checkpoint) for image in images]
    ProposalJob.objects.bulk_create(new, ignore_conflicts=True)
    made = list(ProposalJob.objects.filter(id__in=[job.id for job in new]).values_list("id", flat=True))
    jobs_wake(ProposalJob, made)
    return len(made)


def proposal_job_run(*, job_id: UUID | str) -> None:
    """Propose one photo's masks. Running this twice leaves exactly what running it once leaves."""
    job = ProposalJob.objects.select_related("image__dataset", "detector", "checkpoint").get(id=job_id)
    if job.state == JobState.WAITING:
        job_attempt(job, lambda: _offer(job))


def _offer(job: ProposalJob) -> None:
    # Seconds of model time: no transaction is open and no row is locked meanwhile.
    found, left_out = _propose(job.image, job.detector, job.checkpoint)
    corrected = corrected_shares(job.image.dataset)
    with transaction.atomic():
        # The photo's row decides between us and a person who takes it in this moment.
        image = Image.objects.select_for_update().get(id=job.image_id)
        waiting = ProposalJob.objects.filter(id=job.id, state=JobState.WAITING)
        if image.annotated_at is not None or Assignment.objects.filter(image=image, state=State.OPEN).exists():
            waiting.update(state=JobState.SKIPPED, finished_at=Now())
        elif waiting.update(state=JobState.DONE, finished_at=Now(), mask_count=len(found), left_out=left_out):
            doubt = _store(job, found, corrected)  # else another delivery was faster; its masks stand
            Image.objects.filter(id=image.id).update(proposed_at=Now(), doubt=doubt)
            event_record("proposals.made", subject=image.id, dataset=image.dataset_id, masks=len(found))


def _propose(image: Image, detector: Detector, checkpoint: Checkpoint) -> tuple[list[Any], int]:
    """Masks to offer, and how many more there were below the confidence that is asked for."""
    threshold = detector.threshold_for(rules_of(image.dataset).precision)
    if threshold is None:
        raise DomainError("The detector cannot promise the precision that is asked for.")
    embedding = embedding_ready(image=image, encoder_hash=checkpoint.encoder_hash)
    values = np.frombuffer(read(embedding.storage_key), np.float16).reshape(checkpoint.embedding_shape)
    storage = get_storage()
    with storage.local(checkpoint.storage_key) as weights, storage.local(detector.storage_key) as file:
        proposed = engine.propose_masks(values, image.size, detector=file, checkpoint=weights)
    found = [one for one in proposed if one.confidence >= threshold]
    left_out = len(proposed) - len(found)
    there = [
        run_lengths.Rle(size=list(image.size), counts=counts)
        for counts in Mask.objects.filter(image=image, state=MaskState.ACTIVE).values_list("counts", flat=True)
    ]
    if there and found:
        overlap = run_lengths.iou([one.rle for one in found], there).max(axis=1)
        found = [one for one, most in zip(found, overlap, strict=True) if most <= SAME_OBJECT_IOU]
    return found, left_out


def _store(job: ProposalJob, found: list[Any], corrected: list[float]) -> float:
    """Returns how unsure the model is of the photo."""
    image, rules = job.image, rules_of(job.image.dataset)
    masks, proposals = [], []
    for one in found:
        x0, y0, x1, y1 = one.box
        counts = one.rle["counts"]
        mask = Mask(
            image=image,
            counts=counts,
            x0=x0,
            y0=y0,
            x1=x1,
            y1=y1,
            area=one.area,
            origin=Origin.PROPOSED,
            state=MaskState.PROPOSED,
            checkpoint=job.checkpoint,
            predicted_iou=one.predicted_iou,
            stability=one.stability_score,
            prompts=prompts_of(one),
            content_hash=hashlib.sha256(counts.encode()).hexdigest(),
        )
        masks.append(mask)
        proposals.append(
            Proposal(
                mask=mask,
                dataset_id=image.dataset_id,
                image=image,
                detector=job.detector,
                confidence=one.confidence,
                doubt=doubt_of(one, image, corrected, confidence=one.confidence),
                shuffle=_unit(image.id),
                # Decided now, whatever the rules will be when people come to it; not by the mask's looks.
                opinions_left=2 if LOTS.random() < rules.verified_twice_share else 1,
            )
        )
    mean = photo_doubt(proposal.doubt for proposal in proposals)
    for proposal in proposals:
        proposal.photo_doubt = mean
        proposal.opinions_wanted = proposal.opinions_left
    Mask.objects.bulk_create(masks, batch_size=500)
    Proposal.objects.bulk_create(proposals, batch_size=500)
    return mean


def _unit(of: UUID) -> float:
    """0 to 1, the same for one id always."""
    return int.from_bytes(hashlib.sha256(of.bytes).digest()[:7]) / 2**56


def proposals_called_in_vain() -> None:
    called_in_vain(ProposalJob)
    proposals_sweep()


@transaction.atomic
def proposals_retry(*, dataset: Dataset, by: User) -> int:
    """Try the failed photos again, with the detector and the checkpoint of now. Returns how many.

    Raises:
        NothingFailed.
    """
    failed = list(proposals_failed(dataset).select_for_update(of=("self",)).values_list("id", flat=True))
    if not failed:
        raise NothingFailed("No photo's proposals have failed.")
    checkpoint = deployment_ensure(dataset=dataset)
    now = {"checkpoint": checkpoint, "detector": detector_of(dataset, checkpoint)}
    ProposalJob.objects.filter(id__in=failed).update(**ANEW, **({} if now["detector"] is None else now))
    event_record("proposals.retried", subject=dataset.id, dataset=dataset.id, by=by, photos=len(failed))
    jobs_wake(ProposalJob, failed)
    return len(failed)


def proposals_sweep() -> None:
    """Keep enough photos ready, and repeat wake-up calls that were lost."""
    if (lost := calls_lost()) is not None:
        _wake_again(lost)
    for dataset in Dataset.objects.filter(stage=Stage.SEMI_AUTOMATIC):
        proposals_request(dataset=dataset)


@transaction.atomic
def _wake_again(lost: Q) -> None:
    waiting = ProposalJob.objects.filter(lost | Q(asked_at__isnull=True), state=JobState.WAITING)
    rows = list(waiting.order_by("id").values_list("id", "image__dataset")[: settings.PROPOSALS_AHEAD])
    jobs_wake(ProposalJob, [job for job, _ in rows])
    for dataset_id, count in Counter(dataset_id for _, dataset_id in rows).items():
        event_record("proposals.asked_again", subject=dataset_id, dataset=dataset_id, images=count)
