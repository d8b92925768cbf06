"""Making embeddings, once per photo and encoder, and text tokens, once per text and decoder, whoever asks and however often."""

import logging
import time
from collections import Counter
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now
from kombu.exceptions import OperationalError as QueueAway

from backend.checkpoints.models import Checkpoint
from backend.checkpoints.selectors import live_checkpoint
from backend.common.events import event_record
from backend.common.keeping import lock_bytes
from backend.common.storage import get_storage, read
from backend.common.waking import DATABASE_AWAY, calls_waiting, may_be_lost
from backend.datasets.imaging import read_pixels
from backend.datasets.models import Dataset, Image
from backend.inference.errors import (
    EmbeddingAway,
    EmbeddingFailed,
    EmbeddingNotReady,
    TextNotTaken,
    TextTokenFailed,
    TextTokenNotReady,
    TooManyRegions,
)
from backend.inference.models import Embedding, EmbeddingBacklog, EmbeddingState, TextState, TextToken
from backend.inference.regions import WHOLE
from backend.inference.regions import read as region_read
from backend.inference.selectors import embedding_of, images_to_embed, seconds_expected
from engine import api as engine
from engine.errors import EngineError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
AT_WORK_FOR = timedelta(minutes=5)  # one attempt, with the slowest model and weights that have to be fetched first
MAX_REGIONS = 500  # of a photo and encoder; each is as many bytes as the whole photo's embedding
ASK_AGAIN_AFTER = timedelta(minutes=10)  # also after a failure: what was at fault may have been mended
URGENT_ASK_AGAIN_AFTER = timedelta(seconds=30)  # the page asks four times a second; also after a fault
PAUSES_SECONDS = (1, 5, 15)  # of a worker that makes one on the spot, after a fault
AHEAD_AT_ONCE = 1000
TEXT_ASK_AGAIN_AFTER = timedelta(minutes=1)  # also after a failure: somebody may have installed what was missing
TEXT_GIVEN_UP_AFTER = timedelta(minutes=30)
TEXT_KEPT = timedelta(days=30)
TEXT_EXPECTED_SECONDS = 0.5  # the first one in a worker takes longer: it loads the text encoder


def embedding_wanted(*, image: Image, encoder_hash: str, region: str = WHOLE) -> Embedding:
    """A stored embedding for somebody who looks at the photo, and asks again until it is there.

    Raises:
        EmbeddingNotReady: a worker has been told.
        EmbeddingFailed: asking again is of no use, for some minutes.
        TooManyRegions: see `embedding_request`.
    """
    embedding = embedding_of(image.id, encoder_hash, region)
    if embedding is None or embedding.state != EmbeddingState.READY:
        embedding = embedding_request(image=image, encoder_hash=encoder_hash, urgent=True, region=region)
    if embedding.state == EmbeddingState.WAITING:
        raise EmbeddingNotReady("The photo is being prepared.", expected_seconds=seconds_expected(encoder_hash))
    if embedding.state == EmbeddingState.FAILED:
        raise EmbeddingFailed(f"The model cannot read this photo: {embedding.error}")
    return embedding


@transaction.atomic
def embedding_request(*, image: Image, encoder_hash: str, urgent: bool, region: str = WHOLE) -> Embedding:
    """See to it that there will be one. What failed some minutes ago is tried again.

    Args:
        urgent: somebody is looking at the photo.
        region: on the grid, as `regions.written` writes it.
    Raises:
        TooManyRegions: of this photo.
    """
    from backend.inference.tasks import make_embedding

    of_photo = Embedding.objects.filter(image=image, encoder_hash=encoder_hash)
    if region and not of_photo.filter(region=region).exists() and of_photo.count() > MAX_REGIONS:
        raise TooManyRegions(f"This photo was looked at closer in {MAX_REGIONS} places already; no more are kept.")
    embedding, _ = Embedding.objects.get_or_create(image=image, encoder_hash=encoder_hash, region=region)
    if embedding.state == EmbeddingState.READY:
        return embedding
    own = Embedding.objects.filter(id=embedding.id)
    failed = own.filter(state=EmbeddingState.FAILED, asked_at__lt=Now() - ASK_AGAIN_AFTER)
    failed.update(state=EmbeddingState.WAITING, attempts=0, error="", asked_at=None, urgent_at=None)
    uncalled = Q(asked_at__isnull=True) | Q(asked_at__lt=Now() - ASK_AGAIN_AFTER)
    if urgent:
        uncalled = Q(urgent_at__isnull=True) | Q(urgent_at__lt=Now() - URGENT_ASK_AGAIN_AFTER)
    called = {"asked_at": Now(), "urgent_at": Now()} if urgent else {"asked_at": Now()}
    # The UPDATE decides who calls a worker, so that many waiting pages do not fill the queue.
    if own.filter(uncalled, state=EmbeddingState.WAITING).update(**called):
        make_embedding.apply_async_on_commit([str(embedding.id)], queue="interactive" if urgent else "batch")
    embedding.refresh_from_db()
    return embedding


def embedding_make(*, embedding_id: UUID | str) -> None:
    """Compute and store one. Doing it twice leaves what doing it once leaves.

    A photo that the model refuses, or that takes its worker along, is tried `MAX_ATTEMPTS` times, then marked as failed with
    the reason. A fault of ours is no mark against the photo: it may pass, and the photo waits on, to be tried after a while.
    """
    embedding = Embedding.objects.select_related("image").filter(id=embedding_id).first()
    if embedding is None or embedding.state != EmbeddingState.WAITING:
        return  # its photo was deleted, or it is there
    waiting = Embedding.objects.filter(id=embedding.id, state=EmbeddingState.WAITING)
    checkpoint = Checkpoint.objects.filter(encoder_hash=embedding.encoder_hash).order_by("created_at").first()
    if checkpoint is None:
        waiting.update(state=EmbeddingState.FAILED, error="No checkpoint has this encoder any more.", asked_at=Now())
        return
    now = {"asked_at": Now(), "urgent_at": Now()}
    if not waiting.filter(attempts__lt=MAX_ATTEMPTS).update(attempts=F("attempts") + 1, begun_at=Now(), **now):
        error = embedding.error or "The worker died each time with this photo."
        # Whoever began last may be at it still.
        dead = waiting.exclude(begun_at__gt=Now() - AT_WORK_FOR)
        dead.update(state=EmbeddingState.FAILED, error=error, asked_at=Now())
        return
    try:
        _make(embedding, checkpoint)
    except DATABASE_AWAY:
        raise
    except EngineError as error:
        # Whoever waits hears of it soon: their next question is the next attempt.
        waiting.update(error=str(error) or type(error).__name__, asked_at=Now(), urgent_at=None)
        waiting.filter(attempts__gte=MAX_ATTEMPTS).update(state=EmbeddingState.FAILED)
    except Exception as error:  # whatever it is: one that raises would be asked for again at once
        logger.exception("embedding of %s", embedding.image_id)
        # Until it is called again it has an error: that is how the sweeper knows that no call is on its way.
        waiting.update(attempts=_one_attempt_less(), error=str(error) or type(error).__name__, **now)


def _one_attempt_less() -> Greatest:
    return Greatest(F("attempts") - 1, 0)


def _make(embedding: Embedding, checkpoint: Checkpoint) -> None:
    """Raises EngineError: the model refuses the photo. Anything else: our storage is away, our memory short."""
    image, storage, began = embedding.image, get_storage(), time.monotonic()
    region = region_read(embedding.region)
    part = "" if region is None else f".{'_'.join(map(str, region))}"
    key = f"embeddings/{embedding.encoder_hash}/{image.content_hash}{part}.f16"
    if storage.size(key) is None:
        with storage.local(checkpoint.storage_key) as weights:
            pixels = read_pixels(read(image.display_key))
            if region is not None:
                x0, y0, x1, y1 = region
                pixels = np.ascontiguousarray(pixels[y0:y1, x0:x1])
            values = engine.embed_image(pixels, checkpoint=weights)
        storage.put(key, values.tobytes())
    own = Embedding.objects.filter(id=embedding.id)
    with transaction.atomic():
        lock_bytes(key)
        if storage.size(key) is None:
            # Dropped meanwhile, by whoever did not know of this row: it waits on, and is made anew.
            own.filter(state=EmbeddingState.WAITING).update(attempts=_one_attempt_less())
            return
        # Also where another worker's attempt failed meanwhile: here it is.
        made = {"state": EmbeddingState.READY, "storage_key": key, "seconds": time.monotonic() - began}
        if own.exclude(state=EmbeddingState.READY).update(**made, attempts=0, error=""):
            event_record(
                "embedding.ready",
                subject=image.id,
                dataset=image.dataset_id,
                encoder=embedding.encoder_hash,
                region=embedding.region,
            )


def embedding_ready(*, image: Image, encoder_hash: str) -> Embedding:
    """A stored embedding, made on the spot if need be; for workers, which may wait.

    Raises:
        EmbeddingFailed: it cannot be made.
        EmbeddingAway: not now.
    """
    embedding = embedding_request(image=image, encoder_hash=encoder_hash, urgent=False)
    for pause_seconds in (0, *PAUSES_SECONDS):
        if embedding.state != EmbeddingState.WAITING:
            break
        time.sleep(pause_seconds)
        embedding_make(embedding_id=embedding.id)
        embedding.refresh_from_db()
    if embedding.state == EmbeddingState.WAITING:
        raise EmbeddingAway(f"{image.file_name}: {embedding.error or 'another worker is at its embedding'}")
    if embedding.state == EmbeddingState.FAILED:
        raise EmbeddingFailed(f"{image.file_name}: {embedding.error}")
    return embedding


@transaction.atomic
def embeddings_request(*, dataset: Dataset) -> None:
    """Ahead of need, for every photo that has none of the live encoder: a batch worker is told, who asks for some at a time."""
    EmbeddingBacklog.objects.update_or_create(dataset=dataset)  # waits for whoever removes it just now
    _backlog_call(dataset.id)


def _backlog_call(dataset_id: UUID) -> None:
    from backend.inference.tasks import embed_ahead

    EmbeddingBacklog.objects.filter(dataset=dataset_id).update(asked_at=Now())
    embed_ahead.delay_on_commit(str(dataset_id))


@transaction.atomic
def embeddings_request_next(*, dataset_id: UUID) -> int:
    """Ask for the next `AHEAD_AT_ONCE` that are missing, in the order of need, then call for the rest. Returns how many.

    The call for the rest stands behind theirs, so the queue holds no more than these, however large the dataset is. Who comes
    while another is at it leaves it to them.
    """
    from backend.inference.tasks import make_embedding

    backlogs = EmbeddingBacklog.objects.select_for_update(skip_locked=True, of=("self",)).select_related("dataset")
    backlog, checkpoint = backlogs.filter(dataset=dataset_id).first(), live_checkpoint(dataset_id)
    if backlog is None or checkpoint is None:
        return 0
    encoder_hash = checkpoint.encoder_hash
    missing = images_to_embed(backlog.dataset, encoder_hash, at_most=AHEAD_AT_ONCE)
    rows = [Embedding(image_id=image, encoder_hash=encoder_hash, asked_at=Now()) for image in missing]
    Embedding.objects.bulk_create(rows, ignore_conflicts=True)  # whoever looks at a photo may have been faster
    made = set(Embedding.objects.filter(id__in=[row.id for row in rows]).values_list("id", flat=True))
    in_order = [row.id for row in rows if row.id in made]
    for embedding_id in in_order:
        make_embedding.delay_on_commit(str(embedding_id))
    if len(missing) < AHEAD_AT_ONCE:
        backlog.delete()
    else:
        _backlog_call(backlog.dataset_id)
    return len(in_order)


def embeddings_called_in_vain() -> None:
    """The calls of all that waits were lost: it waits as if it had not been called."""
    Embedding.objects.filter(state=EmbeddingState.WAITING).update(asked_at=None, urgent_at=None)
    EmbeddingBacklog.objects.update(asked_at=None)
    embeddings_sweep()


def embeddings_sweep() -> None:
    """Repeat wake-up calls that were lost, and try again what failed.

    A call that was sent may wait for hours behind others: only where none waits any more was it lost. Whoever looks at a photo
    meanwhile has it embedded at once.
    """
    from backend.inference.tasks import make_embedding

    uncalled, late = Q(asked_at__isnull=True), Q(asked_at__lt=Now() - ASK_AGAIN_AFTER)
    try:
        calls_wait = calls_waiting("batch") > 0
    except QueueAway:
        return  # nobody could be called
    lost = uncalled | (late & ~Q(error="") if calls_wait else late)
    waiting = Embedding.objects.filter(lost, state=EmbeddingState.WAITING)
    rows = list(waiting.order_by("created_at").values_list("id", "image__dataset")[:500])
    backlogs = EmbeddingBacklog.objects.filter(uncalled if calls_wait else uncalled | late)
    with transaction.atomic():
        Embedding.objects.filter(id__in=[row[0] for row in rows]).update(asked_at=Now(), error="")
        for embedding_id, _ in rows:
            make_embedding.delay_on_commit(str(embedding_id))
        for dataset_id, count in Counter(dataset_id for _, dataset_id in rows).items():
            event_record("embeddings.asked_again", subject=dataset_id, dataset=dataset_id, embeddings=count)
        for dataset_id in list(backlogs.values_list("dataset_id", flat=True)):
            _backlog_call(dataset_id)
            event_record("embedding_backlog.asked_again", subject=dataset_id, dataset=dataset_id)


def text_token_get(*, checkpoint: Checkpoint, words: str) -> TextToken:
    """Words as the prompt token of a checkpoint's decoder, if it has been made; else see to it that it will be.

    Raises:
        TextNotTaken: the checkpoint takes no text.
        TextTokenNotReady: a worker has been told.
        TextTokenFailed: with the reason. Asked for again after a while, it is tried again.
    """
    if not checkpoint.text:
        raise TextNotTaken(f"{checkpoint.name} has not learnt to read: it takes points, boxes and masks, but no text.")
    token = _text_token_request(decoder_hash=checkpoint.decoder_hash, words=" ".join(words.split()))
    if token.state == TextState.WAITING:
        raise TextTokenNotReady("The words are being read.", expected_seconds=TEXT_EXPECTED_SECONDS)
    if token.state == TextState.FAILED:
        raise TextTokenFailed(f"The model cannot read this: {token.error}")
    return token


@transaction.atomic
def _text_token_request(*, decoder_hash: str, words: str) -> TextToken:
    token, is_new = TextToken.objects.get_or_create(decoder_hash=decoder_hash, words=words)
    if token.state == TextState.READY:
        return token
    stale = TextToken.objects.filter(id=token.id, asked_at__lt=Now() - TEXT_ASK_AGAIN_AFTER)
    # The UPDATE decides who wakes a worker, so that many waiting pages do not fill the queue.
    if is_new or stale.exclude(state=TextState.READY).update(state=TextState.WAITING, asked_at=Now(), error=""):
        _text_token_ask(token.id)
        token.state = TextState.WAITING
    return token


def _text_token_ask(token_id: UUID) -> None:
    from backend.inference.tasks import make_text_token

    make_text_token.delay_on_commit(str(token_id))


def text_token_make(*, token_id: UUID | str) -> None:
    """Encode one text. Doing it twice leaves what doing it once leaves."""
    token = TextToken.objects.filter(id=token_id).first()
    if token is None or token.state != TextState.WAITING:
        return
    checkpoint = Checkpoint.objects.filter(decoder_hash=token.decoder_hash).order_by("created_at").first()
    waiting = TextToken.objects.filter(id=token.id, state=TextState.WAITING)
    if checkpoint is None:
        waiting.update(state=TextState.FAILED, error="no checkpoint has this decoder any more")
        return
    try:
        with get_storage().local(checkpoint.storage_key) as weights:
            values = engine.encode_text(token.words, checkpoint=weights, encoder=settings.TEXT_ENCODER or None)
    except DATABASE_AWAY:
        raise
    except Exception as error:  # as with embeddings: one that raises would be asked for without end
        if not isinstance(error, EngineError):
            logger.exception("text token %s", token.id)
        waiting.update(state=TextState.FAILED, error=str(error) or type(error).__name__)
        return
    waiting.update(state=TextState.READY, token=[float(value) for value in values], error="")


def text_tokens_sweep() -> None:
    """Forget those that are old, and repeat wake-up calls that were lost."""
    TextToken.objects.filter(created_at__lt=Now() - TEXT_KEPT).delete()
    # What takes its worker down would be asked for without end.
    TextToken.objects.filter(state=TextState.WAITING, created_at__lt=Now() - TEXT_GIVEN_UP_AFTER).update(
        state=TextState.FAILED, error="No worker could read these words."
    )
    if not may_be_lost("interactive"):
        return
    lost = TextToken.objects.filter(state=TextState.WAITING, asked_at__lt=Now() - TEXT_ASK_AGAIN_AFTER)
    for token_id in list(lost.order_by("created_at").values_list("id", flat=True)[:500]):
        with transaction.atomic():
            if lost.filter(id=token_id).update(asked_at=Now()):
                event_record("text_token.asked_again", subject=token_id)  # a decoder may be several datasets'
                _text_token_ask(token_id)
