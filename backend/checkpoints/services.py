"""Registering weights, and deciding which serve a dataset."""

import hashlib
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models.functions import Now

from backend.accounts.models import User
from backend.checkpoints.errors import CheckpointRefused, NothingToRollBackTo
from backend.checkpoints.models import ROLLED_BACK, Checkpoint, Deployment, DeploymentRole
from backend.checkpoints.selectors import checkpoint_before, live_checkpoint
from backend.common.events import event_record
from backend.common.keeping import keep_bytes, lock_bytes
from backend.common.storage import get_storage
from backend.common.stream import publish
from backend.datasets.models import Dataset
from engine import api as engine
from engine.errors import CheckpointInvalid

DEFAULT_NAME = "maskloop_tiny"
ASKED_AGAIN_AFTER_SECONDS = 600
EXPORTED_WITHIN = timedelta(minutes=1)  # of its registration: until then somebody is at the page's decoder


def checkpoint_register(
    *, file: Path, name: str, dataset: Dataset | None = None, parent: Checkpoint | None = None, by: User | None = None
) -> Checkpoint:
    """Store weights and remember them. The same file again is the same checkpoint.

    Raises:
        CheckpointRefused: not a checkpoint of ours. Nothing in the file was run.
    """
    try:
        info = engine.describe_checkpoint(file)
    except CheckpointInvalid as error:
        raise CheckpointRefused(str(error)) from error
    file_hash = _hash_of(file)
    key = f"checkpoints/{file_hash}.safetensors"
    get_storage().put(key, file)
    with transaction.atomic():
        keep_bytes({key: file})
        checkpoint, is_new = Checkpoint.objects.get_or_create(
            file_hash=file_hash,
            defaults={
                "name": name,
                "architecture": info.architecture,
                "config": info.config,
                "storage_key": key,
                "encoder_hash": info.encoder_hash,
                "decoder_hash": info.decoder_hash,
                "input_side": info.input_side,
                "embedding_shape": list(info.embedding_shape),
                "dataset": dataset,
                "parent": parent,
            },
        )
        if is_new:
            event_record("checkpoint.registered", subject=checkpoint.id, dataset=checkpoint.dataset_id, by=by)
            from backend.checkpoints.tasks import export_decoder

            export_decoder.delay_on_commit(str(checkpoint.id))
    return checkpoint


def checkpoint_default() -> Checkpoint:
    """The model that comes with the source. One that came with an earlier source stays beside it."""
    return checkpoint_register(
        file=engine.DEFAULT_CHECKPOINT, name=_told_apart(DEFAULT_NAME, engine.DEFAULT_CHECKPOINT)
    )


def checkpoint_import(*, wanted: str, name: str = "", dataset: Dataset | None = None) -> Checkpoint:
    """Bring a model in that was made elsewhere. For commands: a published file is read with torch.

    Args:
        wanted: a file, or a name that the engine knows.
        name: for people; "": what the file or the model is called.
        dataset: the only one that may use it; None: all may.
    Raises:
        CheckpointRefused: no model that is known here, or another dataset's.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = engine.form_of_ours(wanted, Path(folder))
            name = name or _told_apart(Path(wanted).stem[:100], file)
            checkpoint = checkpoint_register(file=file, name=name, dataset=dataset)
    except CheckpointInvalid as error:
        raise CheckpointRefused(str(error)) from error
    if checkpoint.dataset is None or checkpoint.dataset == dataset:
        return checkpoint
    if dataset is not None:
        raise CheckpointRefused(f"{checkpoint.name} belongs to another dataset already; import it for all of them.")
    with transaction.atomic():
        Checkpoint.objects.filter(id=checkpoint.id).update(dataset=None)
        event_record("checkpoint.shared", subject=checkpoint.id)
    checkpoint.refresh_from_db()
    return checkpoint


def _told_apart(name: str, file: Path) -> str:
    """The name, with the beginning of the file's hash where other weights have it: people choose by names."""
    file_hash = _hash_of(file)
    taken = Checkpoint.objects.filter(name=name).exclude(file_hash=file_hash).exists()
    return f"{name} {file_hash[:8]}" if taken else name


def _hash_of(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def decoder_export(*, checkpoint_id: UUID | str) -> None:
    """Make the page's decoder. Doing it twice leaves what doing it once leaves."""
    checkpoint = Checkpoint.objects.get(id=checkpoint_id)
    if checkpoint.decoder_key:
        return
    storage = get_storage()
    key = f"decoders/{checkpoint.decoder_hash}.onnx"
    if storage.size(key) is None:
        with storage.local(checkpoint.storage_key) as weights, tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / "decoder.onnx"
            engine.export_decoder(weights, graph)
            storage.put(key, graph)
    with transaction.atomic():
        lock_bytes(key)
        if storage.size(key) is None:
            return  # swept away meanwhile, with the last checkpoint that had it: whoever asks again has it made anew
        Checkpoint.objects.filter(id=checkpoint.id).update(decoder_key=key)
    for dataset_id in Deployment.objects.filter(checkpoint=checkpoint, until__isnull=True).values_list(
        "dataset_id", flat=True
    ):
        publish("decoder.ready", subject=checkpoint.id, dataset=dataset_id)


def decoders_sweep() -> None:
    """Ask again for decoders whose wake-up call was lost."""
    from backend.checkpoints.tasks import export_decoder

    missing = Checkpoint.objects.filter(decoder_key="", created_at__lt=Now() - EXPORTED_WITHIN)
    for checkpoint_id, dataset_id in missing.order_by("created_at").values_list("id", "dataset")[:20]:
        # Sweepers' calls wait in the same queue, so it is never empty; time says what was lost.
        if not cache.add(f"decoder.asked_again:{checkpoint_id}", True, ASKED_AGAIN_AFTER_SECONDS):
            continue
        with transaction.atomic():
            event_record("decoder.asked_again", subject=checkpoint_id, dataset=dataset_id)
            export_decoder.delay_on_commit(str(checkpoint_id))


@transaction.atomic
def deployment_make(*, dataset: Dataset, checkpoint: Checkpoint, reason: str, by: User | None) -> Deployment:
    """Let a checkpoint serve the dataset from now on. Work already leased finishes on the one it began with."""
    Dataset.objects.select_for_update().get(id=dataset.id)  # one at a time
    current = Deployment.objects.filter(dataset=dataset, role=DeploymentRole.LIVE, until__isnull=True).first()
    if current is not None and current.checkpoint_id == checkpoint.id:
        return current
    if current is not None:
        Deployment.objects.filter(id=current.id).update(until=Now())
    deployment = Deployment.objects.create(dataset=dataset, checkpoint=checkpoint, reason=reason)
    event_record(
        "deployment.changed",
        subject=deployment.id,
        dataset=dataset.id,
        by=by,
        checkpoint=str(checkpoint.id),
        reason=reason,
    )
    return deployment


def deployment_ensure(*, dataset: Dataset) -> Checkpoint:
    """What serves the dataset; a new one gets the default model."""
    live = live_checkpoint(dataset.id)
    if live is None:
        live = checkpoint_default()
        deployment_make(dataset=dataset, checkpoint=live, reason="the default model", by=None)
    return live


@transaction.atomic
def deployment_roll_back(*, dataset: Dataset, by: User, to: UUID | None = None) -> Deployment:
    """Back to what served before the present one; once more, and it is what served before that.

    Args:
        to: what the person was shown to be the one before; None: whatever is.
    Raises:
        NothingToRollBackTo: the present one is the first, or another one is before it by now.
    """
    Dataset.objects.select_for_update().get(id=dataset.id)
    current = Deployment.objects.filter(dataset=dataset, role=DeploymentRole.LIVE, until__isnull=True).first()
    if current is not None and current.checkpoint_id == to:
        return current  # a second click
    before = checkpoint_before(dataset)
    if before is None:
        raise NothingToRollBackTo("This dataset has had no other checkpoint.")
    if to is not None and before.id != to:
        raise NothingToRollBackTo("Another model was made live meanwhile. Look again which one to go back to.")
    return deployment_make(dataset=dataset, checkpoint=before, reason=ROLLED_BACK, by=by)
