"""docs/benchmarks.md: by the command alone. What people have to say of a run is in the notes, which go below the table."""

from pathlib import Path

from tests.bench.table import Table

OUT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
NOTES = OUT.with_name("benchmarks-notes.md")

TEXT = """# Benchmarks

Written by `make bench` on {day}: {machine}. Each row stands beside its alternative, measured in the same
run on the same machine: the ratios carry over to other machines, the times do not. The weights of `sam_vit_b` are random here,
which changes nothing for encoder and decoder; the masks that are measured after it are the default model's.
*Published structure* is the decoder exported as its authors wrote it; *written plainly* is
`tests/engine/inference/plain_everything.py`. *Main thread a frame* is everything that ran on the page's main thread from one
frame's beginning to the next one's, by Chromium's own trace, without a GPU.

{table}

{notes}"""


def page(day: str, machine: str, table: Table, notes: str) -> str:
    return TEXT.format(day=day, machine=machine, table=table.text(), notes=notes)
