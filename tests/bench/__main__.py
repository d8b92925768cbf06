"""python -m tests.bench: prints the table and writes it to docs/benchmarks.md, with the machine."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from tests.bench.browser import browser_rows
from tests.bench.engine import engine_rows
from tests.bench.platform import platform_rows
from tests.bench.table import Table
from tests.bench.verify import verify_rows
from tests.bench.workspace import workspace_rows

OUT = Path(__file__).parents[2] / "docs" / "benchmarks.md"

TEXT = """# Benchmarks

Written by `make bench` on {day}, nothing else running: {machine}. Each row stands beside its alternative, measured in the same
run on the same machine: the ratios carry over to other machines, the times do not. The weights of `sam_vit_b` are random here,
which changes nothing for encoder and decoder; the masks that are measured after it are the default model's.
*Published structure* is the decoder exported as its authors wrote it; *written plainly* is
`tests/engine/inference/plain_everything.py`. *Main thread a frame* is everything that ran on the page's main thread from one
frame's beginning to the next one's, by Chromium's own trace, without a GPU.

{table}
"""


def machine() -> str:
    names = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if names.is_file():
        lines = [
            line.split(":", 1)[1].strip() for line in names.read_text().splitlines() if line.startswith("model name")
        ]
        model = lines[0] if lines else model
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores ({model}), {gpu}, Python {platform.python_version()}, torch {torch.__version__}"


def main() -> int:
    table = Table()
    engine_rows(table)
    browser_rows(table)
    platform_rows(table)
    workspace_rows(table)
    verify_rows(table)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(TEXT.format(day=datetime.now(UTC).date(), machine=machine(), table=table.text()))
    print(f"written to {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
