"""Answers that cost much and are asked for by many: reckoned by one, taken by the others.

An answer is kept for a time that grows with what it took. So reckoning has a small share of the time however many ask, and what
is cheap is always fresh.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import redis
from django.core.cache import cache

logger = logging.getLogger(__name__)

#: What takes no longer is reckoned whenever somebody asks.
CHEAP_SECONDS = 0.2
#: For each second beyond that an answer is kept for so many.
KEPT_TIMES = 20
#: An older one is shown to nobody, not even to those who come while it is reckoned anew.
SHOWN_SECONDS = 24 * 3600
#: Whoever reckons for longer is taken for dead.
DEAD_AFTER_SECONDS = 60

Answer = TypeVar("Answer")


def costly(name: str, reckon: Callable[[], Answer]) -> tuple[Answer, int]:
    """An answer, and in how many seconds it is worth while to ask again; 0: it is of this moment.

    Where Redis is away everybody reckons alone.
    """
    key, at_work = f"costly:{name}", f"costly:{name}:at-work"
    try:
        known = cache.get(key)
        # By our own clock: no more depends on it than how old a figure is.
        if known is not None and (left := known["fresh_until"] - time.time()) > 0:
            return known["answer"], math.ceil(left)
        if not cache.add(at_work, True, DEAD_AFTER_SECONDS) and known is not None:
            return known["answer"], 1
    except redis.RedisError as error:
        logger.warning("%s is not kept: %s", name, error)
        return reckon(), 0
    began = time.monotonic()
    try:
        answer = reckon()
        kept = KEPT_TIMES * (time.monotonic() - began - CHEAP_SECONDS)
        with suppress(redis.RedisError):
            if kept > 0:
                cache.set(key, {"answer": answer, "fresh_until": time.time() + kept}, SHOWN_SECONDS)
            else:
                cache.delete(key)
    finally:  # or else, where it failed, everybody would take the old answer until this one is taken for dead
        with suppress(redis.RedisError):
            cache.delete(at_work)
    return answer, 0
