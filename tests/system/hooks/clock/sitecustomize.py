"""On PYTHONPATH, a process's clock is CLOCK_OFF_SECONDS off: `time.time` and `datetime.now`, nothing else's."""

import datetime
import os
import time

off = float(os.environ.get("CLOCK_OFF_SECONDS", "0"))
real_time, real_datetime = time.time, datetime.datetime


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, real_datetime)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, real_datetime)


class Moved(real_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return real_datetime.now(tz) + datetime.timedelta(seconds=off)

    @classmethod
    def utcnow(cls):
        return real_datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=off)

    @classmethod
    def today(cls):
        return cls.now()


if off:
    time.time = lambda: real_time() + off
    datetime.datetime = Moved
