"""The whole engine, driven by simulated people through a real server, workers, database and Redis."""

import json
from pathlib import Path

import pytest

from backend.insights.simulation import Report, Server, Settings, run
from tests.scenes import write_discs
from tests.system.conftest import Running, artefact

pytestmark = pytest.mark.timeout(600)  # two minutes where nothing else runs


@pytest.fixture(scope="module")
def simulated(maskloop: Running, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("simulation")
    settings = Settings(
        data=write_discs(folder / "discs", photos=22),
        out=folder / "out",
        annotators=3,
        images=22,
        retrain_every=12,
        assisted_rounds=1,
        semi_rounds=1,
        recipe="debug_decoder",
        test_images=4,  # so many complete ones, and proposals are calibrated on them
        proposal_precision=0.5,
        least_precision=0.05,  # four test photos and a detector of a minute promise little
        everything={"points_per_side": 8},
        audit_share=0.3,
        trial=4,
        holdout=2,
    )
    report = run(settings, Server(maskloop.address, "admin", maskloop.password), print)
    report.write(settings.out)
    for name in ("report.json", "report.md", "report.html"):
        artefact(f"simulation-{name}").write_bytes((settings.out / name).read_bytes())
    return report


def test_no_mask_is_lost_or_doubled(simulated: Report):
    counts = simulated.counts
    assert counts["in_database"] == counts["expected"] == counts["server_says"] > 0
    assert (counts["lost"], counts["strange"], counts["doubled"]) == (0, 0, 0)
    assert (counts["accepted_proposals_lost"], counts["proposals_that_nobody_accepted"]) == (0, 0)
    assert counts["automatic_in_database"] + counts["automatic_changed_by_audits"] == counts["automatic_made"] > 0


def test_people_draw_verify_correct_complete_and_audit_and_the_model_learns(simulated: Report):
    first, second = simulated.rounds
    assert first["stage"] == "assisted"
    assert second["stage"] == "semi_automatic"
    assert all(row["training"]["state"] == "done" for row in simulated.rounds)
    assert [one["kind"] for one in simulated.entries].count("verdict") == simulated.counts["verdicts"] > 0
    assert simulated.automatic["thresholds"]["complete"]
    assert simulated.audit["all"]["pairs"] > 0


def test_first_and_last_checkpoint_are_measured_on_photos_that_nothing_was_decided_by(simulated: Report):
    assert simulated.holdout["photos"] == 2
    assert simulated.holdout["objects"] == 12
    for figure in ("miou_1", "clicks_beyond", "failures_5"):
        change = simulated.holdout[figure]["change"]
        assert change["low"] <= change["mean"] <= change["high"]


def test_the_report_is_figures_a_table_and_a_page_that_needs_no_other_file(simulated: Report, tmp_path: Path):
    simulated.write(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["counts"] == simulated.counts
    table = [line for line in (tmp_path / "report.md").read_text().splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(simulated.rounds)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4
    assert page.count('class="mark"') == 4 * len(simulated.rounds)
    assert 'src="http' not in page
    assert "data:image/jpeg;base64," in page
