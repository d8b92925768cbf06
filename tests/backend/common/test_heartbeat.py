"""A thread says that a worker lives, while it does."""

import threading

from django.db import OperationalError

from backend.common.heartbeat import heartbeats


def is_beating():
    return any(thread.name == "heartbeats" for thread in threading.enumerate())


def test_heartbeats_go_on_after_the_database_was_away_and_end_with_the_block():
    beaten, beaten_again = [], threading.Event()

    def beat():
        beaten.append(1)
        if len(beaten) == 1:
            raise OperationalError
        beaten_again.set()
        return True

    with heartbeats(beat, 0.01):
        assert beaten_again.wait(20)
        assert is_beating()
    assert not is_beating()


def test_nothing_is_said_any_more_of_what_another_worker_has():
    beaten = []
    with heartbeats(lambda: bool(beaten.append(1)), 0.01):
        for thread in threading.enumerate():
            if thread.name == "heartbeats":
                thread.join(20)
        assert not is_beating()
    assert beaten == [1]
