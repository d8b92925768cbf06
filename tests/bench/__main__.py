"""python -m tests.bench: prints the table and writes it to docs/benchmarks.md, with the machine and the notes."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from tests.bench.browser import browser_rows
from tests.bench.engine import engine_rows
from tests.bench.page import NOTES, OUT, page
from tests.bench.platform import platform_rows
from tests.bench.table import Table
from tests.bench.verify import verify_rows
from tests.bench.workspace import workspace_rows


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
    OUT.write_text(page(str(datetime.now(UTC).date()), machine(), table, NOTES.read_text(encoding="utf-8")))
    print(f"written to {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
