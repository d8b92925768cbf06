"""Answering prompts for pages that cannot run the decoder: too little memory, or no WebAssembly.

The web process, which never loads torch, leaves the request in Redis, wakes the interactive worker and waits for the answer.
Nothing of it is kept: a prompt that nobody waits for any more is not answered, and the page asks again.
"""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

import numpy as np
import redis
from django.conf import settings
from django.db import connection

from backend.checkpoints.models import Checkpoint
from backend.common.errors import InvalidInput
from backend.common.storage import get_storage, read
from backend.datasets.models import Image
from backend.inference.errors import DecodingFailed, DecodingTooSlow
from backend.inference.services import embedding_wanted, text_token_get
from engine import api as engine
from engine.errors import EngineError

WAIT_SECONDS = 20  # an embedding in the making may have to be finished first
ANSWER_KEPT_SECONDS = 30
EMBEDDINGS_KEPT = 4  # 2 MB each: a person's next click is on the same photo


@dataclass(frozen=True, slots=True)
class Decoded:
    """Logits of masks, best first.

    Attributes:
        shape: masks, rows, columns.
        channels: which of the decoder's masks each is; 0: the single one.
        logits: float16, raw.
    """

    shape: tuple[int, ...]
    predicted_iou: list[float]
    channels: list[int]
    logits: bytes


def prompt_decode(
    *, image: Image, checkpoint: Checkpoint, prompts: list[dict[str, Any]], previous: str | None
) -> Decoded:
    """
    Args:
        prompts: see `annotation.prompts`.
        previous: logits of an earlier answer, float16, base64.
    Raises:
        InvalidInput: no prompts, more than one box or text, or `previous` is not logits of this checkpoint.
        EmbeddingNotReady, TextTokenNotReady: the page asks again.
        EmbeddingFailed: the photo cannot be embedded; asking again is of no use, for some minutes.
        TextNotTaken, TextTokenFailed: see `text_token_get`.
        DecodingFailed: the model refuses the prompts, with the reason.
        DecodingTooSlow: no worker answered.
    """
    from backend.inference.tasks import decode_prompt

    points = [prompt for prompt in prompts if prompt["kind"] == "point"]
    boxes = [prompt["box"] for prompt in prompts if prompt["kind"] == "box"]
    texts = [prompt["words"] for prompt in prompts if prompt["kind"] == "text"]
    if not prompts or len(boxes) > 1 or len(texts) > 1:
        raise InvalidInput("A prompt is points, one box, one text, or several of these.")
    if previous is not None:
        _logits(previous, side=4 * checkpoint.embedding_shape[1])
    embedding = embedding_wanted(image=image, encoder_hash=checkpoint.encoder_hash)
    request_id = str(uuid4())
    request = {
        "embedding": embedding.storage_key,
        "embedding_shape": checkpoint.embedding_shape,
        "size": list(image.size),
        "checkpoint": checkpoint.storage_key,
        "points": [point["at"] for point in points],
        "labels": [point["label"] for point in points],
        "box": boxes[0] if boxes else None,
        "previous": previous,
        "text_token": text_token_get(checkpoint=checkpoint, words=texts[0]).token if texts else None,
    }
    client = _client()
    client.set(_asked(request_id), json.dumps(request), ex=WAIT_SECONDS)
    decode_prompt.apply_async([request_id])  # passed over once the request has faded
    if not connection.in_atomic_block:
        connection.close()  # others need it while this waits
    found = cast("tuple[bytes, bytes] | None", client.blpop([_answered(request_id)], timeout=WAIT_SECONDS))
    if found is None:
        raise DecodingTooSlow("The servers are too busy to answer the click; try it again.")
    head, _, logits = found[1].partition(b"\n")
    answer = json.loads(head)
    if "refused" in answer:
        raise DecodingFailed(answer["refused"])
    return Decoded(**answer, logits=logits)


def prompt_answer(*, request_id: str) -> None:
    """In a worker. Of a request that nobody waits for any more nothing is done; twice leaves what once leaves."""
    client = _client()
    asked = cast("bytes | None", client.getdel(_asked(request_id)))
    if asked is None:
        return
    answer: dict[str, Any]
    logits = b""
    try:
        decoded = _decode(json.loads(asked))
        answer = asdict(decoded)
        logits = answer.pop("logits")
    except EngineError as error:
        answer = {"refused": str(error)}
    except Exception as error:  # somebody is waiting
        answer = {"refused": f"The model could not answer ({type(error).__name__})."}
        raise
    finally:
        pipeline = client.pipeline()
        pipeline.rpush(_answered(request_id), json.dumps(answer).encode() + b"\n" + logits)
        pipeline.expire(_answered(request_id), ANSWER_KEPT_SECONDS)
        pipeline.execute()


def _decode(asked: dict[str, Any]) -> Decoded:
    shape = tuple(asked["embedding_shape"])
    mask = None if asked["previous"] is None else _logits(asked["previous"], side=4 * shape[1])
    with get_storage().local(asked["checkpoint"]) as weights:
        answer = engine.answer_prompt(
            _embedding(asked["embedding"], shape),
            cast("tuple[int, int]", tuple(asked["size"])),
            checkpoint=weights,
            points=[(x, y) for x, y in asked["points"]],
            labels=asked["labels"],
            box=None if asked["box"] is None else tuple(asked["box"]),
            mask=mask,
            text_token=None if asked["text_token"] is None else np.array(asked["text_token"], np.float32),
        )
    return Decoded(
        answer.logits_MHW.shape,
        [float(iou) for iou in answer.predicted_iou_M],
        [int(channel) for channel in answer.channel_M],
        np.clip(answer.logits_MHW, -6e4, 6e4).astype(np.float16).tobytes(),
    )


def _logits(encoded: str, *, side: int) -> np.ndarray:
    """Raises InvalidInput."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("`previous` is not base64.") from None
    if len(raw) != 2 * side * side:
        raise InvalidInput(f"`previous` is {side} x {side} logits of 2 bytes, not {len(raw)} bytes.")
    logits = np.frombuffer(raw, np.float16).astype(np.float32).reshape(side, side)
    if not np.isfinite(logits).all():
        raise InvalidInput("`previous` is logits: a number for each cell, none of them NaN or infinite.")
    return logits


@lru_cache(maxsize=EMBEDDINGS_KEPT)
def _embedding(storage_key: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(read(storage_key), np.float16).reshape(shape)


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=WAIT_SECONDS + 5)


def _asked(request_id: str) -> str:
    return f"maskloop:decode:{request_id}"


def _answered(request_id: str) -> str:
    return f"maskloop:decoded:{request_id}"
