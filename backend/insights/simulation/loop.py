"""The whole engine, run by simulated people: drawing, retraining, verifying, correcting, automatic masks, the audit."""

import heapq
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backend.common.statistics import wilson_by_group
from backend.insights.simulation.admin import Admin
from backend.insights.simulation.counts import count_up
from backend.insights.simulation.hand import Sight, draw
from backend.insights.simulation.ledger import Entry, Ledger
from backend.insights.simulation.measure import compared, measure
from backend.insights.simulation.people import Person, Workplace
from backend.insights.simulation.pictures import Sample, overlay
from backend.insights.simulation.report import Report, figures_of_round
from backend.insights.simulation.server import Server
from backend.insights.simulation.settings import Settings
from backend.insights.simulation.truth import Photo, lots, read_folder
from engine import masks as run_lengths

GOOD_IOU = 0.75
SAMPLES = 3
#: Photos to show have so many objects.
SHOWABLE = range(4, 60)
#: Who does what first; half of the people verify, the others correct and complete.
DRAWING = ("correct", "annotate")
VERIFYING = ("verify", "correct", "complete", "annotate")
MENDING = ("correct", "complete", "verify", "annotate")


def run(settings: Settings, server: Server, say: Callable[[str], None] = lambda _: None) -> Report:
    """Simulate on a running Maskloop.

    Args:
        say: is told what happens, a line at a time.
    Raises:
        Sentence: the data are not a label-map folder, or something was waited for in vain.
        ServerGone, Refused: see `client`.
    """
    return Simulation(settings, server, say).run()


class Simulation:
    def __init__(self, settings: Settings, server: Server, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.began = time.monotonic()
        self._tell = say
        self.photos = read_folder(
            settings.data, images=settings.images, seed=settings.seed, most_objects=settings.most_objects
        )
        self.admin = Admin(server, settings, self.say)
        self.ledger = Ledger()
        self.report = Report(settings=settings.as_dict())
        self.people: list[Person] = []
        self.learnt_from = 0  # entries that counted before the last retraining

    def say(self, words: str) -> None:
        self._tell(f"{time.monotonic() - self.began:6.0f} s  {words}")

    def run(self) -> Report:
        settings = self.settings
        clients = self.admin.set_up(self.photos)
        by_name = {photo.name: photo for photo in self.photos}
        self.place = Workplace(self.admin.dataset, by_name, settings.habits, settings.seed, self.ledger)
        self.people = [Person(number, client, self.place) for number, client in enumerate(clients)]
        self.say(f"{len(self.photos)} photos, {len(self.people)} people; dataset {self.admin.dataset}")
        self.first = self.admin.live()
        self.images = list(self.admin.images())
        self.images_by_name = {image["file_name"]: image for image in self.images}
        trained_at = ""
        for _ in range(settings.assisted_rounds):
            trained_at = self._round("assisted", lambda _: DRAWING) or trained_at
        if settings.semi_rounds:
            has_proposals = self.admin.begin_semi_automatic(trained_at)
            self.say("proposals are ready" if has_proposals else "there are no proposals: people go on drawing")
        for number in range(settings.semi_rounds):
            if number:
                self.admin.proposals_ready()
            self._round("semi_automatic", lambda person: VERIFYING if person % 2 == 0 else MENDING)
        self._automatic()
        self._measure()
        self.say("counting")
        asked_again = sum(client.asked_again for client in (self.admin.client, *clients))
        self.report.counts = count_up(
            self.admin, self.ledger, self.images, self.report.automatic, asked_again=asked_again
        )
        self.report.people = self._people()
        self.report.server = {"figures": self.admin.get("figures/"), "verifiers": self.admin.get("review/people/")}
        self.report.entries = self.ledger.as_dicts()
        self.report.seconds = time.monotonic() - self.began
        self.say("done")
        return self.report

    # -- rounds

    def _round(self, stage: str, jobs_of: Callable[[int], tuple[str, ...]]) -> str | None:
        """People work until there is enough to learn from, and the model learns.

        Returns:
            when it had, by the server's clock; None where nothing was left to do.
        """
        number = self.place.round
        live, began, first = self.admin.live(), time.monotonic(), len(self.ledger.entries)
        self._work(jobs_of, self._is_enough)
        entries = self.ledger.entries[first:]
        row = figures_of_round(entries, self.settings.habits)
        row |= {
            "round": number + 1,
            "stage": stage,
            "checkpoint": live["name"],
            "work_wall_seconds": time.monotonic() - began,
        }
        if stage == "semi_automatic":
            row["trial"] = self._trial(entries)
        self.say(
            f"round {number + 1}, {stage}, {live['name']}: {row['masks']} masks, "
            f"{row['clicks_beyond'] if row['clicks_beyond'] is not None else float('nan'):.2f} clicks beyond the first, "
            f"{row['seconds_per_mask'] or float('nan'):.1f} s a mask"
        )
        self.report.rounds.append(row)
        self.place.round += 1
        if not self._fresh():
            return None
        began = time.monotonic()
        finished = self.admin.retrain(self.settings.seed)
        self.learnt_from = len(self.ledger.entries)
        verdict = finished["verdict"] or {}
        row["training"] = {
            "state": finished["state"],
            "decision": finished["decision"],
            "reason": verdict.get("reason") or finished["error"],
            "figures": [one for one in verdict.get("figures", []) if one["size"] == "all"],
            "masks": finished["mask_count"],
            "wall_seconds": time.monotonic() - began,
        }
        mark = {
            "entries": len(self.ledger.entries),
            "round": number + 1,
            "decision": finished["decision"] or finished["state"],
        }
        self.report.marks.append(mark)
        self.say(f"retrained in {row['training']['wall_seconds']:.0f} s: {row['training']['reason']}")
        return str(finished["finished_at"])

    def _fresh(self) -> list[Entry]:
        """What was made since the last retraining that it did not learn from."""
        return [entry for entry in self.ledger.entries[self.learnt_from :] if entry.counts_for_training]

    def _is_enough(self) -> bool:
        done = {self.images_by_name[photo]["id"] for photo in {entry.photo for entry in self.ledger.entries}}
        in_train = [image for image in self.images if image["split"] == "train"]
        left = sum(image["id"] not in done for image in in_train)
        if left <= self.settings.left_for_model * len(in_train):
            return True
        return len(self._fresh()) >= self.settings.retrain_every

    def _work(self, jobs_of: Callable[[int], tuple[str, ...]], is_enough: Callable[[], bool]) -> None:
        """All people at once, a step at a time: whoever is behind the others goes next. So it is as with so many people at so
        many screens, and the same each time. What somebody has begun they finish."""
        turns = [(person.clock, person.number) for person in self.people]
        heapq.heapify(turns)
        at_work: dict[int, Iterator[str]] = {}
        idle: list[int] = []
        while turns:
            _, number = heapq.heappop(turns)
            person = self.people[number]
            if number not in at_work:
                if is_enough():
                    continue
                at_work[number] = person.works(jobs_of(number))
                if next(at_work[number], None) is None:
                    del at_work[number]
                    idle.append(number)  # until somebody has finished something
                    continue
            elif next(at_work[number], None) is None:
                del at_work[number]
                for waiting in idle:
                    heapq.heappush(turns, (max(person.clock, self.people[waiting].clock), waiting))
                idle.clear()
            heapq.heappush(turns, (person.clock, number))

    # -- the comparison of verify-then-correct with drawing

    def _trial(self, entries: list[Entry]) -> dict[str, Any] | None:
        """The same objects that proposals were judged of, drawn from nothing with the same checkpoint, and not sent."""
        judged = sorted({(one.photo, one.thing) for one in entries if one.answer in ("accept", "fix") and one.thing})
        if not judged or not self.settings.trial:
            return None
        chosen = lots(self.settings.seed, "trial", self.place.round).permutation(len(judged))[: self.settings.trial]
        checkpoint, sights, seconds = self.admin.live(), dict[str, Sight](), []
        for index in sorted(int(one) for one in chosen):
            name, number = judged[index]
            image, photo = self.images_by_name[name], self.place.photos[name]
            if name not in sights:
                sights[name] = self.people[0].sight_of(image, checkpoint)
            thing = next(one for one in photo.things if one.number == number)
            rng = lots(self.settings.seed, name, number, "draw")
            seconds.append(draw(sights[name], thing.mask_HW, self.settings.habits, rng).seconds)
        return {"objects": len(seconds), "seconds_per_mask": float(np.mean(seconds))}

    # -- the automatic stage

    def _automatic(self) -> None:
        admin, settings = self.admin, self.settings
        self.place.round += 1
        admin.client.patch(f"/api/datasets/{admin.dataset}/audit/", {"share": settings.audit_share})
        admin.set_stage("automatic")
        began = time.monotonic()
        thresholds = admin.calibrate()
        self.say(f"thresholds: {thresholds['min_predicted_iou']}, {thresholds['min_stability']}, "
                 f"prompts: {thresholds['prompts']}; calibration says "
                 f"precision {thresholds['precision']}, recall {thresholds['recall']}")  # fmt: skip
        calibrated, began = time.monotonic() - began, time.monotonic()
        run = admin.label()
        self.report.automatic = {"thresholds": thresholds, "calibration_wall_seconds": calibrated}
        if run is None:
            self.say("nothing is left to label")
            return
        self.report.automatic |= {
            "photos": run["counts"]["done"],
            "failed": run["counts"]["failed"],
            "run_masks": run["masks"],
            "wall_seconds": time.monotonic() - began,
            **self._against_truth(),
        }
        share = self.report.automatic["share_above_75"]
        self.say(f"automatic: {run['masks']} masks on {run['counts']['done']} photos, above 0.75 IoU: {share}")
        if settings.audit_share and run["masks"]:
            self._audit()

    def _against_truth(self) -> dict[str, Any]:
        """All automatic masks against the truth, which no part of Maskloop has seen; objects on photos that got no mask were
        missed, too."""
        best: list[float] = []
        of_photos: list[tuple[int, int]] = []  # good masks, and all
        things = found_75 = found_50 = double = 0
        for image in self.admin.images():
            if image["split"] != "train" or image["annotated_at"] is not None:
                continue
            masks = self.admin.client.get(f"/api/images/{image['id']}/masks/")
            if any(one["origin"] != "automatic" for one in masks):
                continue  # proposals wait for people: runs leave it alone
            photo = self.place.photos[image["file_name"]]
            overlap = photo.overlaps([run_lengths.Rle(size=one["size"], counts=one["counts"]) for one in masks])
            of_mask = overlap.max(axis=1) if overlap.size else np.zeros(len(masks))
            best += of_mask.tolist()
            of_photos.append((int((of_mask > GOOD_IOU).sum()), len(of_mask)))
            owners = Counter(overlap.argmax(axis=1)[of_mask >= GOOD_IOU].tolist()) if overlap.size else Counter()
            double += sum(number - 1 for number in owners.values())
            things += len(photo.things)
            if overlap.size:
                found_75 += int((overlap.max(axis=0) >= GOOD_IOU).sum())
                found_50 += int((overlap.max(axis=0) >= 0.5).sum())
            if masks and len(self.report.samples_automatic) < SAMPLES and len(photo.things) in SHOWABLE:
                shown = [run_lengths.decode({"size": one["size"], "counts": one["counts"]}) for one in masks]
                self.report.samples_automatic.append(
                    Sample(photo.name, [("by the model alone", overlay(photo.path, shown))])
                )
            photo.forget()
        good = sum(iou > GOOD_IOU for iou in best)
        return {
            "masks": len(best),
            "share_above_75": good / len(best) if best else None,
            "interval": list(wilson_by_group(of_photos)),
            "second_masks_of_an_object": double,
            "objects": things,
            "recall_75": found_75 / things if things else None,
            "recall_50": found_50 / things if things else None,
        }

    def _audit(self) -> None:
        waiting = self.admin.audit_begins()
        self.say(f"audit: {waiting} masks in the sample")
        self._work(lambda _: ("audit",), lambda: False)
        self.report.audit = self.admin.audit_concluded(waiting)

    # -- what the model is worth

    def _measure(self) -> None:
        """First and last checkpoint, on the photos of the holdout split: by the engine, against the truth."""
        last = self.admin.live()
        holdout = [image["file_name"] for image in self.images if image["split"] == "holdout"][: self.settings.holdout]
        self.report.checkpoints = {"first": self.first["name"], "last": last["name"]}
        if not holdout:
            return
        self.say(f"measuring {self.first['name']} and {last['name']} on {len(holdout)} photos of the holdout split")
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for role, checkpoint in (("first", self.first), ("last", last)):
                _, weights = self.admin.client.get_bytes(f"/api/checkpoints/{checkpoint['id']}/weights/")
                files.append(Path(folder) / f"{role}.safetensors")
                files[-1].write_bytes(weights)
            habits = self.settings.habits
            names = [Path(name).stem for name in holdout]
            first, newest = measure(self.settings.data, names, files, clicks=habits.most_clicks, folder=Path(folder))
            self.report.holdout = compared(first, newest, stop_iou=habits.stop_iou, most_clicks=habits.most_clicks)
        self._samples(holdout, last)

    def _samples(self, holdout: list[str], last: dict[str, Any]) -> None:
        """What one click in the middle of each object gives, before and after."""
        for name in holdout:
            photo = self.place.photos[name]
            if len(self.report.samples) == SAMPLES:
                return
            if photo.count in SHOWABLE:
                self.report.samples.append(self._sample(photo, last))
            photo.forget()

    def _sample(self, photo: Photo, last: dict[str, Any]) -> Sample:
        image = self.images_by_name[photo.name]
        shown = [("the truth", overlay(photo.path, [thing.mask_HW for thing in photo.things]))]
        for words, checkpoint in (("before", self.first), ("after", last)):
            sight = self.people[0].sight_of(image, checkpoint)
            masks = [self.people[0].first_answer(sight, thing) for thing in photo.things]
            shown.append((f"one click each, {words}", overlay(photo.path, masks)))
        return Sample(photo.name, shown)

    def _people(self) -> list[dict[str, Any]]:
        return [
            {
                "name": person.client.username,
                "simulated_seconds": person.clock,
                "entries": sum(entry.person == person.number for entry in self.ledger.entries),
            }
            for person in self.people
        ]
