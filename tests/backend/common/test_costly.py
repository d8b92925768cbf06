"""What costs much is reckoned once for all who ask, in the real Redis."""

import threading
import time
from uuid import uuid4

import pytest
from django.core.cache import cache

from backend.common import costly as costly_module
from backend.common.costly import costly


@pytest.fixture
def name():
    return f"test:{uuid4()}"


def test_what_is_cheap_is_reckoned_whenever_somebody_asks(name):
    answers = iter(range(3))
    assert [costly(name, lambda: next(answers)) for _ in range(3)] == [(0, 0), (1, 0), (2, 0)]


def test_what_costs_much_is_kept_for_a_time_that_grows_with_what_it_took(name, monkeypatch):
    monkeypatch.setattr(costly_module, "CHEAP_SECONDS", 0.0)
    kept = f"costly:{name}"
    for number, took in enumerate((0.2, 0.4)):
        began = time.time()
        assert costly(name, lambda: time.sleep(took) or number) == (number, 0)  # noqa: B023
        took_at_most = time.time() - began
        assert 20 * took <= cache.get(kept)["fresh_until"] - began <= 21 * took_at_most
        answer, seconds = costly(name, lambda: "not asked")
        assert (answer, seconds >= 1) == (number, True)
        cache.set(kept, {**cache.get(kept), "fresh_until": time.time()}, 60)  # as if so long had passed


def test_while_one_reckons_the_others_take_the_old_answer(name):
    cache.set(f"costly:{name}", {"answer": "old", "fresh_until": 0}, 60)
    begun, may_end, answers = threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        may_end.wait(20)
        return "new"

    first = threading.Thread(target=lambda: answers.append(costly(name, slow)))
    first.start()
    assert begun.wait(20)
    assert costly(name, slow) == ("old", 1)
    may_end.set()
    first.join()
    assert answers == [("new", 0)]


def test_after_a_reckoning_that_failed_the_next_one_who_asks_reckons(name):
    cache.set(f"costly:{name}", {"answer": "old", "fresh_until": 0}, 60)

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        costly(name, fail)
    assert costly(name, lambda: "new") == ("new", 0)


def test_where_redis_is_away_everybody_reckons_alone(name, settings):
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    settings.CACHES = {"default": away}
    assert costly(name, lambda: "reckoned") == ("reckoned", 0)
