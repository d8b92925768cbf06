"""Verifying in a real browser: one key each, and every answer arrives."""

import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from backend.launch.places import ROOT
from tests.system.conftest import TEST_SERVERS, Running, artefact
from tests.system.test_accessibility import violations

#: Proposals as the detector leaves them; that it makes them is shown in tests/backend/autolabel.
PROPOSE = """
import numpy as np
from uuid import uuid4
from backend.annotation.models import Mask
from backend.autolabel.models import Detector, Proposal, ReviewRules
from backend.autolabel.proposals import review_rules_set
from backend.datasets.models import Dataset, Image, Stage
from backend.datasets.services import dataset_create, dataset_stage_set, image_import
from backend.accounts.models import User
from backend.common.storage import read
from engine import masks as run_lengths

admin = User.objects.get(username="admin")
dataset = dataset_create(creator=admin, name="To verify")
dataset_stage_set(dataset=dataset, stage=Stage.SEMI_AUTOMATIC, by=admin)
review_rules_set(dataset=dataset, by=admin, known_share=0, verified_twice_share=0)
detector = Detector.objects.create(dataset=dataset, encoder_hash="e", detector_hash="d", storage_key="none",
    thresholds=[{"confidence": 0.5, "precision": 0.9, "lower_bound": 0.8, "boxes": 100}])
for number, source in enumerate(Image.objects.filter(dataset__name="Demo").order_by("created_at")[:2]):
    image, _ = image_import(dataset=dataset, file_name=source.file_name, content=read(source.original_key), by=admin)
    ys, xs = np.mgrid[: image.height, : image.width]
    for x in (0.3, 0.5, 0.7):
        inside = (xs - x * image.width) ** 2 + (ys - image.height / 2) ** 2 < (image.height / 8) ** 2
        rle = run_lengths.encode(inside)
        x0, y0, x1, y1 = run_lengths.bbox(rle)
        mask = Mask.objects.create(id=uuid4(), image=image, counts=rle["counts"], x0=x0, y0=y0, x1=x1, y1=y1,
            area=int(inside.sum()), origin="proposed", state="proposed", content_hash=str(x))
        Proposal.objects.create(mask=mask, dataset=dataset, image=image, detector=detector, confidence=0.8, doubt=x,
            photo_doubt=number, shuffle=0, opinions_wanted=1, opinions_left=1)
    Image.objects.filter(id=image.id).update(proposed_at=image.created_at)
print(dataset.id)
"""


@pytest.fixture
def to_verify(maskloop: Running) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in TEST_SERVERS}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", PROPOSE],
        cwd=ROOT,
        env={**kept, "VAR": str(maskloop.var)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_masks_are_verified_by_keys_alone_and_no_answer_is_lost(browser, maskloop: Running, to_verify: str):
    context = browser.new_context(viewport={"width": 1280, "height": 720}, bypass_csp=True)
    page = context.new_page()
    page.goto(maskloop.address)
    page.get_by_label("Name").fill("admin")
    page.locator("input[type=password]").fill(maskloop.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="To verify").click()
    page.get_by_role("link", name="Loop", exact=True).click()
    review = page.get_by_role("region", name="Review")
    expect(review).to_contain_text("6 masks wait for a verdict")
    assert violations(page) == []
    page.screenshot(path=artefact("review-panel.png"), full_page=True)
    review.get_by_role("link", name="Verify").click()
    shown = page.locator("main[data-ready=true]")
    expect(shown).to_be_visible()
    assert violations(page) == []
    page.screenshot(path=artefact("verify.png"))
    first = shown.get_attribute("data-question")
    for key in ("a", "n", "z", "f", "3"):  # the second one answered twice: not an object, no, to be fixed
        expect(shown).to_be_visible()  # what nobody has seen yet is not answered
        page.keyboard.press(key)
    expect(page.get_by_test_id("verified")).to_contain_text("3 verified")
    assert shown.get_attribute("data-question") != first
    expect(page.get_by_test_id("verified")).to_contain_text("saved")
    # A line that breaks loses nothing, and neither does a reload.
    context.set_offline(True)
    expect(shown).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_test_id("verified")).to_contain_text("1 answer on its way")
    context.set_offline(False)
    page.reload()
    expect(page.get_by_test_id("verified")).to_contain_text("saved")
    expect(shown).to_be_visible()
    for key in ("a", "u"):
        expect(shown).to_be_visible()
        page.keyboard.press(key)
    # Nobody else could be asked, so what was unsure is now to be corrected, with the one to be fixed.
    expect(page.get_by_role("heading", name="Nothing is left to verify.")).to_be_visible()
    expect(page.get_by_test_id("verified")).to_contain_text("saved")
    client = maskloop.admin()
    queues = client.get(f"/api/datasets/{to_verify}/review/")["queues"]
    assert (queues["verify"]["waiting"], queues["correct"]["waiting"]) == (0, 2)
    (person,) = client.get(f"/api/datasets/{to_verify}/review/people/")
    assert person["verdicts"] == 7
    page.get_by_role("button", name="Back to the dataset").click()
    page.get_by_role("region", name="Review").get_by_role("link", name="Correct").click()
    expect(page.get_by_test_id("decoder")).to_contain_text("in this browser", timeout=120_000)
    page.screenshot(path=artefact("correct.png"))
    context.close()
