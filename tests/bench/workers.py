"""python -m tests.bench.workers [--photos 24]: one automatic run by one batch worker, by two, and by one again.

Prints the rows of the table in docs/scale.md. One thread a worker; embeddings are made beforehand. Nothing else may be running:
the second measurement with one worker tells how much the machine changed meanwhile.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.launch.places import ROOT
from tests.bench.workspace import a_photo, new_dataset
from tests.system.client import Client, wait_until
from tests.system.conftest import TEST_SERVERS, Running, start, world_readable

COCO_MEGAPIXELS = 0.3
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
PATIENCE_SECONDS = 3600


def second_worker(running: Running) -> subprocess.Popen[bytes]:
    """As on another machine: the same command, the same environment."""
    kept = {key: value for key, value in os.environ.items() if key not in TEST_SERVERS}
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "backend.config", "worker", "--pool=solo"]
    command += ["--without-gossip", "--without-mingle", "--loglevel=WARNING", "-Q", "batch", "-n", "second@%h"]
    return subprocess.Popen(command, cwd=ROOT, env={**kept, **ONE_THREAD, "VAR": str(running.var)})


def a_run(script: Client, dataset: str, which: str) -> dict[str, Any]:
    """A run to its end."""
    url = f"/api/datasets/{dataset}/autolabel-runs/"
    made = script.post(url, {"selection": {"which": which}})["id"]

    def finished() -> dict[str, Any] | None:
        run = next(run for run in script.get(url) if run["id"] == made)
        return run if run["state"] == "done" else None

    return wait_until("the run's end", finished, PATIENCE_SECONDS)


def row(workers: int, run: dict[str, Any]) -> str:
    began, ended = (datetime.fromisoformat(run[name]) for name in ("created_at", "finished_at"))
    minutes = (ended - began).total_seconds() / 60
    done, failed = run["counts"]["done"], run["counts"]["failed"]
    return f"| {workers} | {done / minutes:.1f} | {done} photos, {run['masks']} masks, {failed} failed |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=24)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as name:
        running = start(world_readable(Path(name)), **ONE_THREAD)
        try:
            running.wait_until_ready()
            script = running.admin()
            dataset = new_dataset(script, "workers")
            files = {f"{seed}.jpg": a_photo(COCO_MEGAPIXELS, seed) for seed in range(photos)}
            script.upload(f"/api/datasets/{dataset}/upload/", files)
            a_run(script, dataset, "waiting")  # makes the embeddings
            print("| workers | photos a minute | what |\n|---|---|---|")
            print(row(1, a_run(script, dataset, "all")), flush=True)
            second = second_worker(running)
            try:
                a_run(script, dataset, "all")  # it loads its model
                print(row(2, a_run(script, dataset, "all")), flush=True)
            finally:
                second.terminate()
                second.wait(60)
            print(row(1, a_run(script, dataset, "all")), flush=True)
        finally:
            running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
