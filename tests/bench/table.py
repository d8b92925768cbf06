"""A row is ours, the alternative, and how many times as fast ours is."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


def timed(what: Callable[[], object], times: int, warm_up: int = 1) -> list[float]:
    """Seconds of each run, after a warm-up."""
    for _ in range(warm_up):
        what()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return seconds


@dataclass
class Table:
    rows: list[str] = field(default_factory=list)

    def add(
        self, what: str, ours: list[float], than: str = "", plain: list[float] | None = None, budget: str = ""
    ) -> None:
        """Seconds of runs of ours, and of the alternative that `than` names."""
        values = sorted(ours)
        median = statistics.median(values)
        slow = values[min(len(values) - 1, round(0.95 * len(values)))]
        cells = [what, in_words(median), in_words(slow) if len(values) > 4 else "", than]
        other = statistics.median(plain) if plain else None
        cells += [in_words(other), f"{other / median:.1f}x"] if other else ["", ""]
        self._row([*cells, budget])

    def told(self, what: str, ours: str, than: str, plain: str, ratio: str, budget: str) -> None:
        """What is no time, in words."""
        self._row([what, ours, "", than, plain, ratio, budget])

    def _row(self, cells: list[str]) -> None:
        self.rows.append("| " + " | ".join(cells) + " |")
        print(self.rows[-1], flush=True)

    def text(self) -> str:
        head = ["what", "ours, median", "95%", "beside", "its median", "ratio", "budget"]
        rule = "|" + "|".join(["---"] * len(head)) + "|"
        return "\n".join(["| " + " | ".join(head) + " |", rule, *self.rows])


def in_words(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{seconds * 1000:.1f} ms"
        if seconds >= 1e-3
        else f"{seconds * 1e6:.0f} us"
    )
