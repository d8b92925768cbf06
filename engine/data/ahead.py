"""What comes next, made ready by threads while the present is being used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Key = TypeVar("Key")
Thing = TypeVar("Thing")


class Ahead(Generic[Key, Thing]):
    """`make(key)` for each key, in the keys' order, whichever thread is done first.

    Args:
        keys: may be endless; is read no further ahead than needed.
        threads: as many again wait, made; 0: each is made when it is asked for.

    An exception of `make` is raised where its result would have been taken.
    """

    def __init__(self, make: Callable[[Key], Thing], keys: Iterable[Key], *, threads: int) -> None:
        self.make, self.keys, self.threads = make, iter(keys), threads
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._coming: deque[Future[Thing]] = deque()

    def __iter__(self) -> Iterator[Thing]:
        return self

    def __next__(self) -> Thing:
        if self._pool is None:
            return self.make(next(self.keys))
        while len(self._coming) < 2 * self.threads:
            try:
                self._coming.append(self._pool.submit(self.make, next(self.keys)))
            except StopIteration:
                break
        if not self._coming:
            raise StopIteration
        return self._coming.popleft().result()

    def close(self) -> None:
        """Forget what was not taken."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
