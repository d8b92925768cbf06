"""The simulated admin: sets the dataset up, moves it through its stages, has the model retrained, and waits for all of it."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from backend.insights.simulation.client import Client, Guest, Refused
from backend.insights.simulation.server import Server
from backend.insights.simulation.settings import Settings
from backend.insights.simulation.truth import Photo
from backend.launch.sentence import Sentence

T = TypeVar("T")

UPLOADED_AT_ONCE = 20
LONGEST_WAIT_SECONDS = 3600.0  # for one training run, or one automatic run
NO_PROPOSALS_SECONDS = 90.0  # with none there and none in the making: there will be none
SAMPLED_WITHIN_SECONDS = 150.0
CONCLUDED_WITHIN_SECONDS = 30.0
_FINISHED = ("done", "failed", "cancelled")


class Admin:
    def __init__(self, server: Server, settings: Settings, say: Callable[[str], None]) -> None:
        self.server, self.settings, self.say = server, settings, say
        self.client = Client(server.address, server.username, server.password)
        self.dataset = ""

    # -- the dataset

    def set_up(self, photos: list[Photo]) -> list[Client]:
        """A dataset with the photos and nothing else, and its annotators, who come by invitation."""
        settings = self.settings
        tag = secrets.token_hex(3)
        made = self.client.post("/api/datasets/", {"name": f"{settings.name} {tag}"})
        self.dataset = made["id"]
        evidence = {"test_images_wanted": settings.test_images, "test_masks_wanted": min(100, 3 * settings.test_images)}
        self.client.patch(f"/api/datasets/{self.dataset}/", evidence)
        rules = {
            "precision": settings.proposal_precision,
            "order": settings.order,
            "known_share": settings.known_share,
            "verified_twice_share": settings.verified_twice_share,
        }
        self.client.patch(f"/api/datasets/{self.dataset}/review/rules/", rules)
        people = [self._invite(f"simulated-{tag}-{number + 1}") for number in range(settings.annotators)]
        for first in range(0, len(photos), UPLOADED_AT_ONCE):
            files = {photo.name: photo.path.read_bytes() for photo in photos[first : first + UPLOADED_AT_ONCE]}
            report = self.client.upload(f"/api/datasets/{self.dataset}/upload/", files)
            if report["refused"]:
                raise Sentence(f"A photo was refused: {report['refused'][0]['message']}")
        return people

    def _invite(self, username: str) -> Client:
        invited = self.client.post(
            f"/api/datasets/{self.dataset}/invitations/", {"role": "annotator", "note": "simulated"}
        )
        password = secrets.token_urlsafe(12)
        Guest(self.server.address).accept(token=invited["token"], username=username, password=password)
        return Client(self.server.address, username, password)

    def images(self) -> Iterator[dict[str, Any]]:
        """Every photo of the dataset, in the order of their arrival."""
        path: str | None = f"/api/datasets/{self.dataset}/images/?page_size=500"
        while path:
            page = self.client.get(path)
            yield from page["results"]
            path = page["next"] and "/api/" + page["next"].split("/api/", 1)[1]

    def get(self, what: str) -> Any:
        """Of the dataset: `review/`, `audit/`, ..."""
        return self.client.get(f"/api/datasets/{self.dataset}/{what}")

    def set_stage(self, stage: str) -> None:
        self.client.post(f"/api/datasets/{self.dataset}/stage/", {"stage": stage})
        self.say(f"stage: {stage.replace('_', ' ')}")

    # -- retraining

    def retrain(self, seed: int) -> dict[str, Any]:
        """Ask for a run, and wait until the gate has decided."""
        path = f"/api/datasets/{self.dataset}/training-runs/"
        try:
            run = self.client.post(path, {"recipe": self.settings.recipe, "seed": seed})
        except Refused as refusal:
            # The first delivery of this very request may have begun it.
            if refusal.code != "training_run_unfinished":
                raise
            run = self.client.get(path)[0]
        return self.awaited(
            "the end of the training run", lambda: self._finished(f"/api/training-runs/{run['id']}/"), pause=0.5
        )

    def _finished(self, path: str) -> dict[str, Any] | None:
        run: dict[str, Any] = self.client.get(path)
        return run if run["state"] in _FINISHED else None

    def live(self) -> dict[str, Any]:
        checkpoint: dict[str, Any] = self.get("")["live_checkpoint"]
        return checkpoint

    # -- the semi-automatic stage

    def begin_semi_automatic(self, trained_at: str) -> bool:
        """Whether there are proposals to verify.

        Args:
            trained_at: when the last training run ended; the detector is trained after it.
        """
        self.say("waiting for the detector")
        detector = (
            self._or_none(lambda: self._detector(trained_at), LONGEST_WAIT_SECONDS) or self.get("review/")["detector"]
        )
        if detector is not None:
            self._promise(detector)
        self.set_stage("semi_automatic")
        return self.proposals_ready()

    def _detector(self, trained_at: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.get("review/")["detector"]
        return found if found and found["created_at"] >= trained_at else None

    def _promise(self, detector: dict[str, Any]) -> None:
        """What it cannot promise is not asked of it."""
        self.say(f"detector: threshold {detector['threshold']}, precision of {detector['best_precision']} at best")
        best = detector["best_precision"]
        if detector["threshold"] is None and best is not None and best >= self.settings.least_precision:
            self.client.patch(f"/api/datasets/{self.dataset}/review/rules/", {"precision": int(100 * best) / 100})

    def proposals_ready(self) -> bool:
        """Wait until none is in the making, however long the workers take. False: there are none."""
        idle_since = time.monotonic()

        def settled() -> bool | None:
            nonlocal idle_since
            proposals = self.get("review/")["proposals"]
            if proposals["preparing"]:
                idle_since = time.monotonic()
                return None
            is_late = time.monotonic() - idle_since > NO_PROPOSALS_SECONDS
            return True if proposals["offered"] else False if is_late else None

        return self.awaited("proposals", settled)

    # -- the automatic stage

    def calibrate(self) -> dict[str, Any]:
        """Thresholds for the precision that is wanted, chosen on the test photos, once the detector is there."""
        self.awaited("the end of the detector's training", self._no_detector_on_its_way)
        run = self.client.post(
            f"/api/datasets/{self.dataset}/thresholds/",
            {"precision": self.settings.wanted_precision, "settings": self.settings.everything},
        )

        def fitted() -> dict[str, Any] | None:
            found: dict[str, Any] | None = self.get("thresholds/")["thresholds"]
            # Its own, or one that took its place: ids rise with time.
            return found if found and (found["calibration"] or "") >= run["id"] else None

        return self.awaited("thresholds", fitted)

    def _no_detector_on_its_way(self) -> bool | None:
        return None if any(run["state"] in ("waiting", "training") for run in self.get("detector-runs/")) else True

    def label(self) -> dict[str, Any] | None:
        """Let the model label the rest. None: nothing is left."""
        path = f"/api/datasets/{self.dataset}/autolabel-runs/"
        try:
            run = self.client.post(path, {"settings": self.settings.everything})
        except Refused as refusal:
            if refusal.code == "autolabel_run_unfinished":
                run = self.client.get(path)[0]
            elif refusal.code == "nothing_to_label":
                return None
            else:
                raise

        def done() -> dict[str, Any] | None:
            now: dict[str, Any] = self.client.get(f"/api/autolabel-runs/{run['id']}/preview/")["run"]
            return now if now["state"] in _FINISHED else None

        return self.awaited("the end of the automatic run", done)

    def audit_begins(self) -> int:
        """How many masks are in the sample, once it is drawn."""

        def sampled() -> int | None:
            return self.get("audit/")["report"]["waiting"] or None

        return self._or_none(sampled, SAMPLED_WITHIN_SECONDS) or 0

    def audit_concluded(self, sampled: int) -> dict[str, Any]:
        """What the server makes of it, once it has measured all of the sample: an event tells it to, after the submission."""

        def measured() -> dict[str, Any] | None:
            report: dict[str, Any] = self.get("audit/")["report"]
            return report if report["all"]["pairs"] >= sampled else None

        return self._or_none(measured, CONCLUDED_WITHIN_SECONDS) or self.get("audit/")["report"]

    # -- waiting

    def awaited(self, what: str, look: Callable[[], T | None], pause: float = 0.5) -> T:
        end = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < end:
            if (seen := look()) is not None:
                return seen
            time.sleep(pause)
        raise Sentence(f"Waited {LONGEST_WAIT_SECONDS / 60:.0f} minutes in vain for {what}.")

    def _or_none(self, look: Callable[[], T | None], seconds: float) -> T | None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (seen := look()) is not None:
                return seen
            time.sleep(0.5)
        return None
