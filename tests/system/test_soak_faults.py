"""The simulation, while machines break beneath it: in the end everything is as it would have been, and the events tell why.

Each process runs alone, as in production, and is started again when it ends. Minutes in which nothing happens but waiting (for
a sweeper, for a dead worker's heartbeat) are made to pass in the database, whose clock decides.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.disks import can_mount, fill, small_disk
from tests.scenes import write_discs
from tests.system.client import wait_until
from tests.system.conftest import artefact, world_readable
from tests.system.fleet import PASSWORD, Fleet, beside

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

#: Left out of what the report counts: how often the network was tried; and how many masks the model made alone, for which model
#: that is the gate decides, here by a hair, and the last digits of a sum differ from one run to the next.
NOT_COMPARED = ("asked_again", "automatic_made", "automatic_in_database")
SETTINGS = [
    *("--annotators", "2", "--images", "20", "--retrain-every", "12", "--rounds", "1", "--semi-rounds", "0"),
    *("--test-images", "3", "--recipe", "debug_decoder", "--trial", "0"),
    # What the server draws by lot is left out: it is drawn by the ids of its own rows.
    *("--known-share", "0", "--verified-twice-share", "0", "--audit-share", "0"),
    *("--everything", '{"points_per_side": 8}', "--holdout", "1"),
]


#: The engine's usual number takes minutes, and nothing here is about how good the boxes are.
SHORT_DETECTOR_RUNS = """
CREATE OR REPLACE FUNCTION short() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.steps := 120; RETURN NEW; END';
CREATE OR REPLACE TRIGGER short BEFORE INSERT ON training_detectorrun FOR EACH ROW EXECUTE FUNCTION short();
"""


@dataclass
class Run:
    fleet: Fleet
    out: Path
    has_ended: Callable[[], bool]

    def when(self, what: str, look: Callable[[], Any]) -> Any:
        """Wait for a moment of the simulation. It must come: a fault that never struck proves nothing."""

        def seen() -> Any:
            found = look()
            assert found or not self.has_ended(), f"the simulation ended before {what}"
            return found or None

        return wait_until(what, seen, 240)

    def counts(self) -> dict[str, Any]:
        told = json.loads((self.out / "report.json").read_text())["counts"]
        assert told["automatic_in_database"] == told["automatic_made"] > 0
        return {name: value for name, value in told.items() if name not in NOT_COMPARED}


@contextmanager
def simulation(fleet: Fleet, data: Path, out: Path) -> Iterator[Run]:
    """It runs beside the block, and is waited for at its end."""
    fleet.sql(SHORT_DETECTOR_RUNS)
    command = ("simulate", "--server", fleet.address, "--data", str(data), "--out", str(out), *SETTINGS)
    at_work = beside(lambda: fleet.manage(*command, MASKLOOP_PASSWORD=PASSWORD))
    run = Run(fleet, out, at_work.is_over)
    yield run
    while not run.has_ended():
        time.sleep(5)
        fleet.time_passes()
        fleet.a_minute_passes_for_dead_workers()
    at_work.end()
    settle(fleet)


def settle(fleet: Fleet) -> None:
    """Until nothing waits any more; what a sweeper must see to takes some of its rounds."""

    def nothing_waits() -> bool | None:
        fleet.time_passes()
        fleet.a_minute_passes_for_dead_workers()
        return not any(fleet.count(f"{table} WHERE {open_}") for table, open_ in OPEN.items()) or None

    wait_until("nothing waits", nothing_waits, 150)


OPEN = {
    "autolabel_autolabeljob": "state = 'waiting'",
    "autolabel_autolabelrun": "finished_at IS NULL",
    "inference_embedding": "state = 'waiting'",
    "training_trainingrun": "finished_at IS NULL",
    "training_detectorrun": "finished_at IS NULL",
    "checkpoints_checkpoint": "decoder_key = ''",
    "common_event": "delivered_at IS NULL",
}

#: Asked inside, since storage, hashes and weights are the backend's to read.
LEFT = """
import hashlib
from datetime import timedelta
from pathlib import Path
import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from backend.annotation.models import Assignment, Mask
from backend.autolabel.models import Detector, Proposal
from backend.checkpoints.models import Checkpoint
from backend.common.storage import get_storage
from backend.datasets.models import Image
from backend.inference.models import Embedding
from backend.releases.models import FrozenSet, Release
from backend.review.models import Question
from backend.training.detectors import detector_runs_sweep
from backend.training.models import DetectorRun, TrainingRun
from backend.training.services import training_runs_sweep
from backend.common.services import files_sweep
from engine import api as engine

# What waits for its time to be cleared up: that time has passed.
for model in (TrainingRun, DetectorRun):
    model.objects.filter(finished_at__isnull=False).update(finished_at=Now() - timedelta(hours=1))
training_runs_sweep(), detector_runs_sweep(), files_sweep()

folder = get_storage().folder
known = set()
for model, fields in ((Image, ("original_key", "display_key", "thumbnail_key")), (Embedding, ("storage_key",)),
                      (Checkpoint, ("storage_key", "decoder_key")), (Detector, ("storage_key",))):
    for field in fields:
        known |= set(model.objects.values_list(field, flat=True))
known |= {file["storage_key"] for release in Release.objects.all() for file in release.files}
# What was evaluated once is remembered by what it was about: no row names it.
there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.parent.name != "evaluations"}

half = []
for checkpoint in Checkpoint.objects.all():
    with get_storage().local(checkpoint.storage_key) as file:
        info = engine.describe_checkpoint(file)
        if (hashlib.sha256(file.read_bytes()).hexdigest() != checkpoint.file_hash
                or info.encoder_hash != checkpoint.encoder_hash or info.decoder_hash != checkpoint.decoder_hash):
            half.append(checkpoint.name)
        # Loaded whole, not only its header.
        engine.embed_image(np.zeros((8, 8, 3), "uint8"), checkpoint=file)
for detector in Detector.objects.all():
    with get_storage().local(detector.storage_key) as file:
        if engine.describe_detector(file).detector_hash != detector.detector_hash:
            half.append("detector")
used = {row for model in (TrainingRun, DetectorRun, Release) for row in model.objects.values_list("frozen_set", flat=True)}
encoders = Checkpoint.objects.values("encoder_hash")
made_by_nobody = Checkpoint.objects.filter(dataset__isnull=False, made_by_runs__isnull=True)
tell({
    "objects without a row": sorted(there - known),
    "rows without an object": sorted(known - there - {""}),
    "half checkpoints": half,
    "checkpoints that no run made": list(made_by_nobody.values_list("name", flat=True)),
    "frozen sets of nothing": FrozenSet.objects.exclude(id__in=used).count(),
    "embeddings of no encoder": Embedding.objects.exclude(encoder_hash__in=encoders).count(),
    "masks of the model without a proposal": Mask.objects.filter(origin="proposed", proposal__isnull=True).count(),
    "leases that ran out and are open": Assignment.objects.filter(state="open", expires_at__lt=Now()).count()
        + Question.objects.filter(state="open", expires_at__lt=Now()).count(),
    "work left on the disk": [str(path.relative_to(settings.WORK_FOLDER)) for path in Path(settings.WORK_FOLDER).glob("*/*")
                              if path.parent.name in ("training", "detectors") and path.name != "filler"]
        + [path.name for path in Path(settings.WORK_FOLDER).glob("release-*")],
    "unfinished files": [path.name for path in (folder / ".unfinished").glob("*")],
})
"""


def assert_nothing_is_left(fleet: Fleet) -> None:
    left = fleet.ask(LEFT)
    assert {name: found for name, found in left.items() if found} == {}


def events(fleet: Fleet) -> dict[str, int]:
    return dict(fleet.sql("SELECT kind, count(*) FROM common_event GROUP BY kind"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_discs(tmp_path_factory.mktemp("scenes") / "discs", photos=20)


@pytest.fixture
def new_fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    begun: list[Fleet] = []

    def make(**options: Any) -> Fleet:
        var = world_readable(tmp_path) / "var"
        var.mkdir()
        begun.append(Fleet(var, **options))
        return begun[-1]

    yield make
    for fleet in begun:
        fleet.stop()
        log = (fleet.var / "processes.log").read_bytes()
        artefact(f"faults-{tmp_path.name}.log").write_bytes(log)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, scenes: Path) -> dict[str, Any]:
    """The counts without faults."""
    folder = tmp_path_factory.mktemp("undisturbed")
    var = world_readable(folder) / "var"
    var.mkdir()
    fleet = Fleet(var)
    try:
        fleet.start()
        with simulation(fleet, scenes, folder / "out") as run:
            pass
        assert_nothing_is_left(fleet)
        recoveries = {"queue.lost", "task.tried_again", "training_run.taken_over", "training_run.interrupted"}
        assert not recoveries & set(events(fleet))
        return run.counts()
    finally:
        fleet.stop()


def test_every_kind_of_process_is_killed_in_turn(new_fleet, scenes, undisturbed, tmp_path: Path):
    fleet = new_fleet()
    fleet.start()
    with simulation(fleet, scenes, tmp_path / "out") as run:
        for masks, strike in enumerate(
            (lambda: fleet.kill("web"), fleet.kill_redis, lambda: fleet.kill("interactive"), fleet.kill_postgres), 1
        ):
            run.when(f"{2 * masks} masks", lambda least=2 * masks: fleet.count("annotation_mask") >= least)
            strike()
        fleet.kill("beat")
        run.when("a training run at work", lambda: fleet.count("training_trainingrun WHERE state = 'training'"))
        run.when("its engine", fleet.child_of_training)
        fleet.kill("training")
        fleet.a_minute_passes_for_dead_workers()

        def engine_again() -> Any:
            fleet.a_minute_passes_for_dead_workers()
            return fleet.child_of_training()

        run.when("its engine again", engine_again).kill()
        run.when("a photo labelled alone", lambda: fleet.count("autolabel_autolabeljob WHERE state = 'done'"))
        fleet.kill("batch")
    assert run.counts() == undisturbed
    assert_nothing_is_left(fleet)
    assert fleet.ended.keys() == {"web", "interactive", "beat", "training", "batch"}
    told = events(fleet)
    assert told.get("training_run.taken_over", 0) + told.get("detector_run.taken_over", 0) >= 2
    assert told.get("training_run.interrupted", 0) + told.get("detector_run.interrupted", 0) == 1


def test_redis_is_emptied_and_postgresql_stopped_and_frozen_for_20_seconds(new_fleet, scenes, undisturbed, tmp_path):
    fleet = new_fleet()
    fleet.start()
    with simulation(fleet, scenes, tmp_path / "out") as run:
        run.when("some masks", lambda: fleet.count("annotation_mask") >= 4)
        fleet.redis_client().flushall()
        run.when("a training run at work", lambda: fleet.count("training_trainingrun WHERE state = 'training'"))
        fleet.stop_postgres(20)
        run.when("a calibration", lambda: fleet.count("autolabel_autolabelrun"))
        fleet.freeze_postgres(20)
        run.when("photos being labelled alone", lambda: fleet.count("autolabel_autolabelrun WHERE purpose = 'label'"))
        fleet.redis_client().flushall()
    assert run.counts() == undisturbed
    assert_nothing_is_left(fleet)
    lost = fleet.sql("SELECT count(*) FROM common_event WHERE kind = 'queue.lost' AND data->>'why' = 'emptied'")
    assert lost[0][0] == 2


def test_every_task_comes_twice_and_one_worker_of_each_two_has_a_clock_of_its_own(
    new_fleet, scenes, undisturbed, tmp_path
):
    """Days ahead and days behind. Two workers for each queue, so that both deliveries are worked on at once."""
    fleet = new_fleet(second_workers=True, DJANGO_SETTINGS_MODULE="tests.system.hooks.twice")
    clock = str(Path(__file__).parent / "hooks" / "clock")
    for name, days in (("interactive", 2), ("batch 2", -2), ("training", 2), ("training 2", -2)):
        fleet.own_environment[name] = {"PYTHONPATH": clock, "CLOCK_OFF_SECONDS": str(days * 86_400)}
    fleet.start()
    with simulation(fleet, scenes, tmp_path / "out") as run:
        pass
    assert run.counts() == undisturbed
    assert_nothing_is_left(fleet)
    assert fleet.ended == {}
    times = fleet.sql("SELECT max(created_at) - min(created_at) < interval '1 hour' FROM annotation_mask")
    assert times == [(True,)]


def test_the_training_workers_disk_is_full_for_a_while(new_fleet, scenes, undisturbed, tmp_path):
    fleet = new_fleet()
    disk = fleet.var / "work" / "training"
    if not can_mount(disk):
        pytest.skip("a disk of its own can be mounted by root only")
    with small_disk(disk, 400):
        fleet.start()
        with simulation(fleet, scenes, tmp_path / "out") as run:
            run.when("some masks", lambda: fleet.count("annotation_mask") >= 4)
            filler = fill(disk)
            run.when("a run that was interrupted", lambda: events(fleet).get("training_run.interrupted"))
            filler.unlink()
        assert run.counts() == undisturbed
        assert_nothing_is_left(fleet)
        assert events(fleet)["training_run.taken_over"] >= 1
        (error,) = fleet.sql("SELECT data->>'error' FROM common_event WHERE kind = 'training_run.interrupted'")
        assert "disk of the worker is full" in error[0]
