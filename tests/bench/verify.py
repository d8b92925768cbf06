"""The verify page in Chromium: from the key that answers to the next outline painted over its photo, from near and from far."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Browser, Page, expect, sync_playwright

from backend.launch.install import chromium
from backend.launch.places import ROOT
from tests.bench.table import Table
from tests.bench.workspace import a_photo, logged_in, new_dataset
from tests.system.conftest import ARGUMENTS, TEST_SERVERS, Running, start, world_readable

MEGAPIXELS = (1.5, 12)
PHOTOS, MASKS = 6, 6
KEYS = "anfa"  # accept, not an object, fix: as people mix them
BUDGET = "100 ms"

#: Proposals as the detector leaves them, so that every photo has as many as are wanted.
PROPOSE = """
import sys
from uuid import UUID
import numpy as np
from backend.annotation.models import Mask
from backend.autolabel.models import Detector, Proposal
from backend.autolabel.proposals import review_rules_set
from backend.datasets.models import Dataset, Image, Stage
from backend.datasets.services import dataset_stage_set
from engine import masks as run_lengths
from tests.bench.workspace import some_masks

dataset = Dataset.objects.get(id="{dataset}")
admin = dataset.created_by
dataset_stage_set(dataset=dataset, stage=Stage.SEMI_AUTOMATIC, by=admin)
review_rules_set(dataset=dataset, by=admin, known_share=0, verified_twice_share=0)
detector = Detector.objects.create(dataset=dataset, encoder_hash="e", detector_hash="d", storage_key="none")
for number, image in enumerate(Image.objects.filter(dataset=dataset)):
    for which, inside in enumerate(some_masks({masks}, image.height, image.width, np.random.default_rng(number))):
        rle = run_lengths.encode(inside)
        x0, y0, x1, y1 = run_lengths.bbox(rle)
        mask = Mask.objects.create(image=image, counts=rle["counts"], x0=x0, y0=y0, x1=x1, y1=y1,
            area=run_lengths.area(rle), origin="proposed", state="proposed", content_hash=str(which))
        Proposal.objects.create(mask=mask, dataset=dataset, image=image, detector=detector, confidence=0.8, doubt=0.5,
            photo_doubt=number, shuffle=0, opinions_wanted=1, opinions_left=1)
    Image.objects.filter(id=image.id).update(proposed_at=image.created_at)
"""

#: Counts from the key to the end of the frame in which both pictures are of the next question.
WATCH = """() => {
    window.shown = []
    addEventListener('keydown', () => {
        const since = performance.now()
        const main = document.querySelector('main[data-question]')
        const from = main?.dataset.question
        const look = () => {
            const now = document.querySelector('main[data-question]')
            const pictures = [...(now?.querySelectorAll('canvas') ?? [])]
            const question = now?.dataset.question
            if (!question || question === from || !pictures.every(one => one.dataset.painted === question))
                return requestAnimationFrame(look)
            const { port1, port2 } = new MessageChannel()
            port1.onmessage = () => shown.push((performance.now() - since) / 1000)
            port2.postMessage(null)
        }
        requestAnimationFrame(look)
    }, true)
}"""


def verify_rows(table: Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        running = start(world_readable(Path(name)))
        try:
            running.wait_until_ready()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
                for megapixels in MEGAPIXELS:
                    seconds = next_seconds(running, browser, megapixels)
                    table.add(
                        f"verify: key to the next outline painted, {megapixels} megapixels", seconds, budget=BUDGET
                    )
                browser.close()
        finally:
            running.stop()


def next_seconds(running: Running, browser: Browser, megapixels: float) -> list[float]:
    """Of every answer but the first two, in which the page warms up."""
    script = running.admin()
    dataset = new_dataset(script, f"verify {megapixels} {uuid4().hex[:4]}")
    photos = {f"{seed}.jpg": a_photo(megapixels, seed) for seed in range(PHOTOS)}
    script.upload(f"/api/datasets/{dataset}/upload/", photos)
    kept = {key: value for key, value in os.environ.items() if key not in TEST_SERVERS}
    code = PROPOSE.format(dataset=dataset, masks=MASKS)
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", code],
        cwd=ROOT,
        env={**kept, "VAR": str(running.var)},
        check=True,
    )
    page = logged_in(running, browser)
    try:
        page.goto(f"{running.address}/datasets/{dataset}/verify")
        page.evaluate(WATCH)
        for number in range(PHOTOS * MASKS - 1):
            answer(page, KEYS[number % len(KEYS)], number + 1)
        return [float(seconds) for seconds in page.evaluate("shown")][2:]
    finally:
        page.context.close()


def answer(page: Page, key: str, number: int) -> None:
    """What nobody has looked at is not answered, so look; then the key, and wait for the next."""
    expect(page.locator("main[data-ready=true]")).to_be_visible(timeout=60_000)
    page.keyboard.press(key)
    page.wait_for_function("n => shown.length === n", arg=number, timeout=60_000)


if __name__ == "__main__":
    verify_rows(Table())
