"""Making embeddings, once per photo and encoder, and text tokens, once per text and decoder, whoever asks and however often."""

import logging
import time
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as QueueAway

from backend.checkpoints.models import Checkpoint
from backend.common.events import event_record
from backend.common.storage import get_storage, read
from backend.common.waking import DATABASE_AWAY, calls_waiting
from backend.datasets.imaging import read_pixels
from backend.datasets.models import Dataset, Image
from backend.inference.dropping import lock_bytes
from backend.inference.errors import EmbeddingFailed, TextNotTaken, TextTokenFailed, TextTokenNotReady, TooManyRegions
from backend.inference.models import Embedding, EmbeddingState, TextState, TextToken
from backend.inference.regions import WHOLE
from backend.inference.regions import read as region_read
from engine import api as engine
from engine.errors import EngineError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
MAX_REGIONS = 500  # of a photo and encoder; each is as many bytes as the whole photo's embedding
ASK_AGAIN_AFTER = timedelta(minutes=10)
TEXT_ASK_AGAIN_AFTER = timedelta(minutes=1)  # also after a failure: somebody may have installed what was missing
TEXT_GIVEN_UP_AFTER = timedelta(minutes=30)
TEXT_KEPT = timedelta(days=30)
TEXT_EXPECTED_SECONDS = 0.5  # the first one in a worker takes longer: it loads the text encoder


@transaction.atomic
def embedding_request(*, image: Image, encoder_hash: str, urgent: bool, region: str = WHOLE) -> Embedding:
    """See to it that there will be one.

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
    embedding, is_new = Embedding.objects.get_or_create(image=image, encoder_hash=encoder_hash, region=region)
    stale = (
        embedding.asked_at is None
        or Embedding.objects.filter(id=embedding.id, asked_at__lt=Now() - ASK_AGAIN_AFTER).exists()
    )
    if embedding.state == EmbeddingState.WAITING and (is_new or urgent or stale):
        Embedding.objects.filter(id=embedding.id).update(asked_at=Now())
        queue = "interactive" if urgent else "batch"
        make_embedding.apply_async_on_commit([str(embedding.id)], queue=queue)
    return embedding


def embedding_make(*, embedding_id: UUID | str) -> None:
    """Compute and store one. Doing it twice leaves what doing it once leaves.

    A photo that cannot be embedded is tried `MAX_ATTEMPTS` times, then marked as failed with the reason.
    """
    embedding = Embedding.objects.select_related("image").get(id=embedding_id)
    if embedding.state != EmbeddingState.WAITING:
        return
    image = embedding.image
    checkpoint = Checkpoint.objects.filter(encoder_hash=embedding.encoder_hash).order_by("created_at").first()
    if checkpoint is None:
        _fail(embedding, "No checkpoint has this encoder any more.", for_good=True)
        return
    storage, began = get_storage(), time.monotonic()
    region = region_read(embedding.region)
    part = "" if region is None else f".{'_'.join(map(str, region))}"
    key = f"embeddings/{embedding.encoder_hash}/{image.content_hash}{part}.f16"
    if storage.size(key) is None:
        try:
            with storage.local(checkpoint.storage_key) as weights:
                pixels = read_pixels(read(image.display_key))
                if region is not None:
                    x0, y0, x1, y1 = region
                    pixels = np.ascontiguousarray(pixels[y0:y1, x0:x1])
                values = engine.embed_image(pixels, checkpoint=weights)
        except DATABASE_AWAY:
            raise
        except Exception as error:  # whatever it is: one that raises would be asked for again without end
            if not isinstance(error, EngineError):
                logger.exception("embedding of %s", image.id)
            _fail(embedding, str(error) or type(error).__name__, for_good=False)
            return
        storage.put(key, values.tobytes())
    with transaction.atomic():
        lock_bytes(key)
        if storage.size(key) is None:
            return  # dropped meanwhile, by whoever did not know of this row: it waits on, and is made anew
        waiting = Embedding.objects.filter(id=embedding.id, state=EmbeddingState.WAITING)
        if waiting.update(state=EmbeddingState.READY, storage_key=key, seconds=time.monotonic() - began, error=""):
            event_record(
                "embedding.ready",
                subject=image.id,
                dataset=image.dataset_id,
                encoder=embedding.encoder_hash,
                region=embedding.region,
            )


def _fail(embedding: Embedding, reason: str, *, for_good: bool) -> None:
    tried = MAX_ATTEMPTS if for_good else F("attempts") + 1
    # Until it is called again, after a while, it has an error: that is how the sweeper knows that no call is on its way.
    Embedding.objects.filter(id=embedding.id).update(attempts=tried, error=reason, asked_at=Now())
    Embedding.objects.filter(id=embedding.id, attempts__gte=MAX_ATTEMPTS).update(state=EmbeddingState.FAILED)


def embedding_ready(*, image: Image, encoder_hash: str) -> Embedding:
    """A stored embedding, made on the spot if need be; for workers, which may wait.

    Raises:
        EmbeddingFailed: it cannot be made.
    """
    embedding = embedding_request(image=image, encoder_hash=encoder_hash, urgent=False)
    while embedding.state == EmbeddingState.WAITING:
        embedding_make(embedding_id=embedding.id)
        embedding.refresh_from_db()
    if embedding.state == EmbeddingState.FAILED:
        raise EmbeddingFailed(f"{image.file_name}: {embedding.error}")
    return embedding


def embeddings_request(*, dataset: Dataset, encoder_hash: str) -> int:
    """Ahead of need, for every photo of a dataset that has none. Returns how many."""
    whole = Embedding.objects.filter(encoder_hash=encoder_hash, region=WHOLE).values("image_id")
    missing = dataset.images.exclude(id__in=whole).order_by("annotated_at", "created_at")
    return _request_all(missing.iterator(chunk_size=500), encoder_hash)


def _request_all(images: Iterable[Image], encoder_hash: str) -> int:
    return len([embedding_request(image=image, encoder_hash=encoder_hash, urgent=False) for image in images])


def embeddings_called_in_vain() -> None:
    """The calls of all that waits were lost: it waits as if it had not been called."""
    Embedding.objects.filter(state=EmbeddingState.WAITING).update(asked_at=None)
    embeddings_sweep()


def embeddings_sweep() -> None:
    """Repeat wake-up calls that were lost, and try again what failed.

    A call that was sent may wait for hours behind others: only where none waits any more was it lost. Whoever looks at a photo
    meanwhile has it embedded at once.
    """
    from backend.inference.tasks import make_embedding

    waiting = Embedding.objects.filter(state=EmbeddingState.WAITING)
    lost, late = waiting.filter(asked_at__isnull=True), waiting.filter(asked_at__lt=Now() - ASK_AGAIN_AFTER)
    try:
        lost |= late.exclude(error="") if calls_waiting("batch") else late
    except QueueAway:
        return  # nobody could be called
    rows = list(lost.order_by("created_at").values_list("id", "image__dataset")[:500])
    with transaction.atomic():
        Embedding.objects.filter(id__in=[row[0] for row in rows]).update(asked_at=Now(), error="")
        for embedding_id, _ in rows:
            make_embedding.delay_on_commit(str(embedding_id))
        for dataset_id, count in Counter(dataset_id for _, dataset_id in rows).items():
            event_record("embeddings.asked_again", subject=dataset_id, dataset=dataset_id, embeddings=count)


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
    lost = TextToken.objects.filter(state=TextState.WAITING, asked_at__lt=Now() - TEXT_ASK_AGAIN_AFTER)
    for token_id in list(lost.order_by("created_at").values_list("id", flat=True)[:500]):
        TextToken.objects.filter(id=token_id).update(asked_at=Now())
        _text_token_ask(token_id)
