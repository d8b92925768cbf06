"""What a simulation counts: masks, not words about masks."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image as Pillow

from backend.insights.simulation.counts import count_up
from backend.insights.simulation.ledger import Entry, Ledger
from backend.insights.simulation.loop import Simulation
from backend.insights.simulation.measure import Curves, compared
from backend.insights.simulation.report import Report, charts_of, figures_of_round
from backend.insights.simulation.settings import Habits
from backend.insights.simulation.truth import Photo
from backend.review.known import spoiled_copies
from engine import masks as run_lengths

SIZE = (40, 60)


def outline(x: int, width: int = 12) -> str:
    mask = np.zeros(SIZE, bool)
    mask[10:30, x : x + width] = True
    return run_lengths.encode(mask)["counts"]


def spoiled(counts: str) -> str:
    return spoiled_copies(run_lengths.Rle(size=list(SIZE), counts=counts))[0]["counts"]


def entry(kind: str, answer: str = "", seconds: float = 2.0, **fields: Any) -> Entry:
    return Entry(kind, 0, "a.jpg", 0, seconds, answer=answer, **fields)


def drew(ledger: Ledger, mask: str, counts: str, replaces: str | None = None) -> None:
    ledger.sent("image", mask, {"counts": counts, "replaces": replaces})
    ledger.entries.append(entry("drawn", seconds=10.0, is_mask=True))


def said(ledger: Ledger, counts: str, *answers: str) -> None:
    for answer in answers:
        ledger.judged("image", SIZE, counts, entry("verdict", answer))


@pytest.fixture
def ledger() -> Ledger:
    """Two outlines were drawn, one of them in another's place; of two proposals one was found right, by two people."""
    made = Ledger()
    drew(made, "first", outline(0))
    drew(made, "second", outline(1), replaces="first")
    said(made, outline(20), "accept", "accept")
    said(made, outline(40), "accept", "fix")
    said(made, outline(0), "accept")  # what people drew themselves, asked again: it was replaced since
    said(made, spoiled(outline(1)), "accept")  # and half of what they drew, which somebody did not see
    return made


def test_seconds_of_a_verified_mask_are_all_verdicts_over_the_masks_that_they_gave(ledger):
    row = figures_of_round(ledger.entries, Habits())
    assert row["verdicts"] == {"accept": 5, "fix": 1, "not_an_object": 0}
    assert (row["verify_masks"], row["verify_seconds"], row["verify_seconds_per_mask"]) == (1, 12.0, 12.0)
    assert row["masks"] == 3  # to learn from: drawn twice, and one accepted
    report = Report(settings={}, rounds=[{**row, "training": None}], entries=ledger.as_dicts())
    _, most = charts_of(report)
    assert most == 3


def server(*masks: tuple[str, str, str], known: int) -> Any:
    """What the admin is told."""
    rows = [{"id": mask, "origin": origin, "counts": counts} for mask, origin, counts in masks]
    answers = {"review/people/": [{"known": known}], "": {"counts": {"masks_human": 1}}}
    return SimpleNamespace(client=SimpleNamespace(get=lambda _: rows), get=answers.__getitem__)


def test_one_accepted_proposal_that_is_gone_is_counted_however_many_known_questions_there_were(ledger):
    images = [{"id": "image", "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}]
    there = [("second", "assisted", outline(1)), ("p", "proposed", outline(20))]
    whole = count_up(server(*there, known=50), ledger, images, {}, asked_again=7)
    assert (whole["accepted_proposals"], whole["accepted_proposals_lost"], whole["lost"]) == (1, 0, 0)
    assert (whole["known_questions"], whole["asked_again"]) == (50, 7)
    without = count_up(server(*there[:1], known=50), ledger, images, {}, asked_again=0)
    assert (without["accepted_proposals"], without["accepted_proposals_lost"]) == (0, 1)


def test_a_photo_without_objects_changes_no_figure():
    of_photo = {"b": [[0.5, 0.9], [0.2, 0.4]], "c": [[0.8, 0.95]]}
    better = {name: [[iou + 0.05 for iou in curve] for curve in curves] for name, curves in of_photo.items()}
    habits = {"stop_iou": 0.9, "most_clicks": 2}
    plain = compared(Curves(of_photo), Curves(better), **habits)
    assert plain["miou_1"]["change"]["mean"] == pytest.approx(0.05)
    empty = {"a": [], "bb": [], "z": []}
    assert compared(Curves({**of_photo, **empty}), Curves({**better, **empty}), **habits) == plain
    assert compared(Curves(empty), Curves(empty), **habits) == {}


def photo_of(folder: Path, labels_HW: np.ndarray, *, name: str = "a", palette: bool = False) -> Photo:
    file = Pillow.fromarray(labels_HW.astype(np.uint8))
    if palette:
        file.putpalette([value for value in range(256) for _ in range(3)])
    file.save(folder / f"{name}.png")
    Pillow.new("RGB", labels_HW.shape[::-1]).save(folder / f"{name}.jpg")
    return Photo(folder / f"{name}.jpg", folder / f"{name}.png")


def test_objects_on_photos_that_got_no_automatic_mask_were_not_found(tmp_path):
    labels_HW = np.zeros(SIZE, int)
    labels_HW[10:30, 0:12], labels_HW[10:30, 20:32] = 1, 2
    photos = {f"{name}.jpg": photo_of(tmp_path, labels_HW, name=name) for name in "abcd"}
    masks = {"a": ["automatic"], "b": [], "c": ["assisted"], "d": []}
    images = [
        {"id": name, "file_name": f"{name}.jpg", "split": "test" if name == "d" else "train", "annotated_at": None}
        for name in masks
    ]

    def answer(path: str) -> list[dict[str, Any]]:
        return [{"origin": origin, "size": list(SIZE), "counts": outline(0)} for origin in masks[path.split("/")[3]]]

    loop = SimpleNamespace(
        admin=SimpleNamespace(images=lambda: images, client=SimpleNamespace(get=answer)),
        place=SimpleNamespace(photos=photos),
        report=Report(settings={}),
    )
    found = Simulation._against_truth(loop)
    assert (found["masks"], found["share_above_75"]) == (1, 1.0)
    assert (found["objects"], found["recall_75"], found["recall_50"]) == (4, 0.25, 0.25)


def test_what_a_palette_leaves_open_is_no_object_to_simulated_people(tmp_path):
    labels_HW = np.zeros(SIZE, int)
    labels_HW[10:30, 0:12], labels_HW[10:30, 12:14] = 1, 255
    border = photo_of(tmp_path, labels_HW, palette=True)
    assert (border.count, [thing.number for thing in border.things]) == (1, [1])
    grey = photo_of(tmp_path, labels_HW, name="b")
    assert (grey.count, [thing.number for thing in grey.things]) == (2, [1, 255])
    labels_HW[0, 0] = 254  # one object of many
    assert photo_of(tmp_path, labels_HW, name="c", palette=True).count == 3


def test_a_server_that_is_started_for_a_simulation_draws_its_lots_by_the_seed(tmp_path, monkeypatch):
    class Started(Exception):
        pass

    def start(*_: Any, env: dict[str, str], **__: Any) -> None:
        raise Started(env["LOTS_SEED"])

    monkeypatch.setenv("LOTS_SEED", "1")
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(Started, match=r"^7$"):
        call_command("simulate", data=tmp_path, out=tmp_path / "out", var=tmp_path / "var", seed=7)
