"""The platform's rows: a real `make run`."""

import tempfile
from pathlib import Path
from uuid import uuid4

import numpy as np

from engine import masks as run_lengths
from tests.bench.table import Table, timed
from tests.system.client import Client
from tests.system.conftest import Running, start, world_readable


def platform_rows(table: Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        var = world_readable(Path(folder)) / "var"
        first = start(var)
        at_first = first.wait_until_ready(300)
        first.stop()
        second = start(var)
        try:
            again = second.wait_until_ready()
            table.add("`make run`, the second time, to the ready line", [again], "the first time", [at_first], "10 s")
            _http_rows(table, second)
        finally:
            second.stop()


def _http_rows(table: Table, maskloop: Running) -> None:
    script: Client = maskloop.admin()
    dataset = next(d["id"] for d in script.get("/api/datasets/") if d["name"] == "Demo")
    assignment = script.post(f"/api/datasets/{dataset}/assignments/", {"besides": []})["assignment"]
    size = (assignment["image"]["height"], assignment["image"]["width"])
    mask = np.zeros(size, bool)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    rle = run_lengths.encode(mask)
    body = {
        "assignment": assignment["id"],
        "size": list(rle["size"]),
        "counts": rle["counts"],
        "origin": "assisted",
        "prompts": [{"kind": "point", "at": [9.5, 9.5], "label": 1}],
        "predicted_iou": 0.9,
        "stability": 0.9,
        "choice": 0,
        "seconds": 1.0,
        "clicks": 1,
        "replaces": None,
    }
    table.add(
        "saving a mask, HTTP round trip",
        timed(lambda: script.put(f"/api/masks/{uuid4()}/", body), 100),
        budget="10 ms",
    )
    besides = {"besides": []}
    ask = timed(lambda: script.post(f"/api/datasets/{dataset}/assignments/", besides), 50)
    table.add("asking for the photo at hand again, HTTP round trip", ask)
