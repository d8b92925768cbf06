"""The platform's rows: a real `make run`."""

import json
import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psycopg

from engine import masks as run_lengths
from tests.bench.table import Table, timed
from tests.system.client import Client
from tests.system.conftest import Running, start, world_readable

#: Of which people have labelled the first third.
IMAGES = 1_000_000
HANDED_OUT = 40


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
            _million_rows(table, second)
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


def _million_rows(table: Table, maskloop: Running) -> None:
    """Label and ask for the next one, in a dataset whose photos are all rows of their own and share one photo's bytes."""
    script: Client = maskloop.admin()
    demo = next(d["id"] for d in script.get("/api/datasets/") if d["name"] == "Demo")
    model = script.get(f"/api/datasets/{demo}/images/")["results"][0]["id"]
    dataset = script.post("/api/datasets/", {"name": "A million"})["id"]
    _fill(maskloop, UUID(dataset), UUID(model))
    seconds = []
    for _ in range(HANDED_OUT + 1):
        began = time.perf_counter()
        told = script.post(f"/api/datasets/{dataset}/assignments/", {"besides": []})
        seconds.append(time.perf_counter() - began)
        script.post(f"/api/assignments/{told['assignment']['id']}/submit/", {"masks": [], "complete": False})
    table.add(f"handing out the next of {IMAGES:,} photos, HTTP round trip", seconds[1:], budget="10 ms")


def _fill(maskloop: Running, dataset: UUID, model: UUID) -> None:
    """As many rows as one photo's, by SQL."""
    own = {
        "id": "gen_random_uuid()",
        "dataset_id": "%(dataset)s",
        "content_hash": "md5(n::text) || md5((-n)::text)",
        "file_name": "n || '.jpg'",
        "group": "n::text",
        "split": "CASE WHEN n %% 1000 = 0 THEN 'test' ELSE 'train' END",
        "created_at": "now() - (%(count)s - n) * interval '1 millisecond'",
        "annotated_at": "CASE WHEN n < %(count)s / 3 THEN now() END",
    }
    address = json.loads((maskloop.var / "servers.json").read_text())["database_url"]
    with psycopg.connect(address) as connection:
        found = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'datasets_image'"
        )
        columns = [name for (name,) in found]
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(own.get(name, f'model."{name}"') for name in columns)
        connection.execute(
            f"INSERT INTO datasets_image ({names}) SELECT {values} "
            "FROM datasets_image model, generate_series(1, %(count)s) n WHERE model.id = %(model)s",
            {"dataset": dataset, "model": model, "count": IMAGES},
        )
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE datasets_image")
