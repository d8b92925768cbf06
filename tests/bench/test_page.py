"""docs/benchmarks.md can be written again at any time: nothing in it is anybody's own words."""

from tests.bench.page import NOTES, OUT, page
from tests.bench.table import Table


def test_a_rerun_keeps_what_people_noted_and_the_page_holds_nothing_else_by_hand():
    notes, written = NOTES.read_text(encoding="utf-8"), OUT.read_text(encoding="utf-8")
    rows = [line for line in written.splitlines() if line.startswith("| ")]
    day = written.partition("on ")[2][:10]
    machine = written.partition(f"{day}: ")[2].partition(". Each row")[0]
    assert written == page(day, machine, Table(rows[1:]), notes)
