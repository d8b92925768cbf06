"""What may take hours leaves the cores to the page, and to whoever waits for an answer."""

import contextlib
import os
import time
from pathlib import Path

BACKGROUND_NICE = 10


def give_way(process: int) -> None:
    """Weigh a process less that leads its session. Where the system refuses, it is weighed as before."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, BACKGROUND_NICE)
    # Linux weighs whole sessions against each other, and niceness only within one; to be set ten times a second at most.
    weight = Path(f"/proc/{process}/autogroup")
    for _ in range(5 if weight.exists() else 0):
        with contextlib.suppress(OSError):
            weight.write_text(str(BACKGROUND_NICE))
            return
        time.sleep(0.12)
