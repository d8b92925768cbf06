"""A simulated person at the page: leases photos, draws, judges, corrects, audits -- by the same calls as the page's."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from backend.insights.simulation.client import Client, Refused
from backend.insights.simulation.decoder import Decoder
from backend.insights.simulation.hand import Drawn, Sight, correct, draw, iou_of
from backend.insights.simulation.ledger import Entry, Ledger
from backend.insights.simulation.settings import Habits
from backend.insights.simulation.truth import SAME_OBJECT_IOU, Photo, Thing, lots
from engine import api as engine
from engine import masks as run_lengths

#: A mask that overlaps no object by more is none of them.
SOME_OBJECT_IOU = 0.1
#: What a person who audits leaves as it is.
GOOD_AS_IT_IS = 0.9
QUESTIONS_AT_ONCE = 10
FAILED_AFTER_CLICKS = 5
_WAIT_SECONDS = 600.0


@dataclass(slots=True)
class Workplace:
    """What all of the simulated people share: the truth, the habits, and what a browser keeps between photos.

    Attributes:
        round: in which they are.
    """

    dataset: str
    photos: dict[str, Photo]
    habits: Habits
    seed: int
    ledger: Ledger
    round: int = 0
    decoders: dict[str, Decoder] = field(default_factory=dict)
    of_image: dict[str, Photo] = field(default_factory=dict)


class Person:
    """
    Attributes:
        clock: simulated seconds of work so far.
    """

    def __init__(self, number: int, client: Client, place: Workplace) -> None:
        self.number, self.client, self.place = number, client, place
        self.clock = 0.0
        self._questions: list[dict[str, Any]] = []

    def works(self, jobs: tuple[str, ...]) -> Iterator[str]:
        """One photo, or one handful of questions, of the first of these jobs that there is; a step at a time.

        Yields:
            the job, after each step. Ends at once where there is nothing to do.
        """
        for job in jobs:
            did = False
            for _ in self._judge() if job == "verify" else self._take(job):
                did = True
                yield job
            if did:
                return

    # -- photos

    def _take(self, job: str) -> Iterator[None]:
        found = self.client.post(f"/api/datasets/{self.place.dataset}/assignments/", {"job": job})
        held = found["assignment"]
        if held is None:
            return
        photo = self._photo(held["image"])
        lease = Lease(self.client, held, self.place.ledger)
        does = {"annotate": self._annotate, "complete": self._complete, "correct": self._correct, "audit": self._audit}
        yield from does[job](lease, photo)
        photo.forget()

    def _photo(self, image: dict[str, Any]) -> Photo:
        photo = self.place.photos[image["file_name"]]
        self.place.of_image[image["id"]] = photo
        return photo

    def _sight(self, lease: "Lease") -> Sight:
        """With the decoder that the lease is pinned to."""
        return self.sight_of(lease.held["image"], lease.held["checkpoint"])

    def sight_of(self, image: dict[str, Any], checkpoint: dict[str, Any]) -> Sight:
        """A photo before their eyes."""
        decoder = self.place.decoders.get(checkpoint["decoder_hash"])
        if decoder is None:
            graph = self._awaited(checkpoint["decoder_url"])
            decoder = Decoder(graph, input_side=checkpoint["input_side"], embedding_shape=checkpoint["embedding_shape"])
            self.place.decoders[checkpoint["decoder_hash"]] = decoder
        embedding = self._awaited(f"/api/images/{image['id']}/embedding/{checkpoint['encoder_hash']}/")
        return Sight(decoder, decoder.embedding(embedding), (image["height"], image["width"]))

    def first_answer(self, sight: Sight, thing: Thing) -> NDArray[np.bool_]:
        """The mask that one click in the middle of an object gives."""
        at, _ = engine.innermost_point(thing.mask_HW)
        return sight.answer([at], [1])[0].mask_HW

    def _awaited(self, path: str) -> bytes:
        """What a worker has to make first."""
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            status, content = self.client.get_bytes(path)
            if status != 202:
                return content
            if time.monotonic() > end:
                raise TimeoutError(f"{path} is not ready after {_WAIT_SECONDS:.0f} s")
            time.sleep(0.1)

    def _lots(self, photo: Photo, *of: Any) -> np.random.Generator:
        return lots(self.place.seed, photo.name, *of)

    def _annotate(self, lease: "Lease", photo: Photo) -> Iterator[None]:
        yield from self._draw_all(lease, photo, photo.things, [])

    def _complete(self, lease: "Lease", photo: Photo) -> Iterator[None]:
        """What is there stays; what is missing is drawn."""
        there = [_rle(mask) for mask in lease.held["masks"]]
        overlap = photo.overlaps(there)
        missing = [
            thing for number, thing in enumerate(photo.things) if not (overlap[:, number] >= SAME_OBJECT_IOU).any()
        ]
        yield from self._draw_all(lease, photo, missing, there)

    def _draw_all(
        self, lease: "Lease", photo: Photo, things: list[Thing], there: list[run_lengths.Rle]
    ) -> Iterator[None]:
        habits, split = self.place.habits, lease.held["image"]["split"]
        finely = split == "test"
        most = None if finely else habits.objects_per_image
        seen = [one for one in things if self._lots(photo, one.number, "seen").random() >= habits.missed_share]
        drawn_now = seen if most is None else seen[: max(0, most - len(there))]
        sight = self._sight(lease) if drawn_now else None
        for thing in drawn_now:
            assert sight is not None
            drawn = draw(sight, thing.mask_HW, habits, self._lots(photo, thing.number, "draw"), finely=finely)
            self._accept(lease, photo, thing, drawn, "drawn")
            yield
        complete = len(drawn_now) == len(seen)
        self._submit(lease, photo, complete=complete)
        yield

    def _correct(self, lease: "Lease", photo: Photo) -> Iterator[None]:
        """Each faulty mask is mended; where it is nobody's, or another one is there already, it goes."""
        sight = self._sight(lease)
        masks = lease.held["masks"]
        overlap = photo.overlaps([_rle(mask) for mask in masks])
        taken = {
            int(overlap[index].argmax())
            for index, mask in enumerate(masks)
            if mask["state"] == "active" and overlap.size and overlap[index].max() >= SAME_OBJECT_IOU
        }
        for index, mask in enumerate(masks):
            if mask["state"] != "faulty":
                continue
            best = int(overlap[index].argmax()) if overlap.size else -1
            if best < 0 or best in taken or overlap[index, best] < SOME_OBJECT_IOU:
                self._remove(lease, photo, mask["id"])
            else:
                taken.add(best)
                thing = photo.things[best]
                rng = self._lots(photo, thing.number, "correct")
                drawn = correct(sight, _correcting(mask), thing.mask_HW, self.place.habits, rng)
                self._accept(lease, photo, thing, drawn, "corrected", replaces=mask["id"])
            yield
        self._submit(lease, photo, complete=False)
        yield

    def _audit(self, lease: "Lease", photo: Photo) -> Iterator[None]:
        """Masks of the sample are mended to the pixel, or taken out."""
        sight: Sight | None = None
        for mask in lease.held["masks"]:
            if not mask["audit_wanted"]:
                continue
            overlap = photo.overlaps([_rle(mask)])[0]
            best = int(overlap.argmax()) if len(overlap) else -1
            if best < 0 or overlap[best] < SOME_OBJECT_IOU:
                self._remove(lease, photo, mask["id"])
            elif overlap[best] < GOOD_AS_IT_IS:
                sight = sight or self._sight(lease)
                thing = photo.things[best]
                rng = self._lots(photo, thing.number, "audit")
                drawn = correct(sight, _correcting(mask), thing.mask_HW, self.place.habits, rng, finely=True)
                self._accept(lease, photo, thing, drawn, "repaired", replaces=mask["id"])
            else:
                self._note("audited", photo, self.place.habits.find_seconds + self.place.habits.key_seconds)
            yield
        self._submit(lease, photo, complete=False)
        yield

    def _accept(
        self, lease: "Lease", photo: Photo, thing: Thing, drawn: Drawn, kind: str, replaces: str | None = None
    ) -> None:
        habits = self.place.habits
        lease.put(drawn, replaces=replaces)
        self.clock += drawn.seconds
        by_clicks = kind == "drawn"
        reached = drawn.clicks_to(habits.stop_iou, habits.most_clicks)
        self.place.ledger.entries.append(
            Entry(
                kind,
                self.place.round,
                photo.name,
                self.number,
                drawn.seconds,
                clicks=drawn.clicks,
                clicks_beyond=reached - 1 if by_clicks else None,
                is_failure=by_clicks and not any(iou >= habits.stop_iou for iou in drawn.ious[:FAILED_AFTER_CLICKS]),
                is_brushed=drawn.is_brushed,
                iou=iou_of(drawn.mask_HW, thing.mask_HW),
                split=lease.held["image"]["split"],
                thing=thing.number,
                is_mask=kind in ("drawn", "corrected"),
            )
        )

    def _remove(self, lease: "Lease", photo: Photo, mask: str) -> None:
        lease.remove(mask)
        kind = "audit_removed" if lease.held["job"] == "audit" else "removed"
        self._note(kind, photo, self.place.habits.find_seconds + self.place.habits.key_seconds)

    def _note(self, kind: str, photo: Photo, seconds: float) -> None:
        self.clock += seconds
        self.place.ledger.entries.append(Entry(kind, self.place.round, photo.name, self.number, seconds))

    def _submit(self, lease: "Lease", photo: Photo, *, complete: bool) -> None:
        if not lease.submit(complete=complete):
            return
        self.place.ledger.photos_done[lease.held["job"]] += 1
        if complete:
            self.place.ledger.complete.add(lease.held["image"]["id"])

    # -- questions

    def _judge(self) -> Iterator[None]:
        asked = self.client.post(f"/api/datasets/{self.place.dataset}/questions/", {"count": QUESTIONS_AT_ONCE})
        for question in asked["questions"]:
            photo = self._photo(question["image"])
            self._answer(photo, question)
            yield

    def _answer(self, photo: Photo, question: dict[str, Any]) -> None:
        habits = self.place.habits
        rng = self._lots(photo, self.number, question["counts"])
        overlap = photo.overlaps([_rle(question)])[0]
        seen = (float(overlap.max()) if len(overlap) else 0.0) + rng.normal(0, habits.judging_noise)
        if seen >= habits.stop_iou or (rng.random() < habits.sloppy_share and seen >= habits.sloppy_iou):
            answer = "accept"
        else:
            answer = "fix" if seen >= SAME_OBJECT_IOU else "not_an_object"
        seconds = habits.find_seconds + habits.key_seconds
        verdict = {"question": question["id"], "answer": answer, "seconds": seconds}
        self.client.put(f"/api/verdicts/{uuid4()}/", verdict)
        best = photo.things[int(overlap.argmax())].number if len(overlap) else None
        self.clock += seconds
        entry = Entry("verdict", self.place.round, photo.name, self.number, seconds, answer=answer, thing=best)
        self.place.ledger.judged(question["image"]["id"], question["size"], question["counts"], entry)
        photo.forget()


class Lease:
    """A photo in one person's hands. Where the lease is gone when something is to be saved, it is taken again, as the page
    does."""

    def __init__(self, client: Client, held: dict[str, Any], ledger: Ledger) -> None:
        self.client, self.held, self.ledger = client, held, ledger
        self.image: str = held["image"]["id"]
        self.id: str = held["id"]
        self.sent: list[str] = []

    def put(self, drawn: Drawn, *, replaces: str | None) -> None:
        rle = run_lengths.encode(drawn.mask_HW)
        body = {
            "assignment": self.id,
            **rle,
            "origin": "brush" if drawn.is_brushed else "assisted",
            "prompts": drawn.prompts,
            "predicted_iou": drawn.predicted_iou,
            "stability": drawn.stability,
            "choice": drawn.choice,
            "seconds": round(drawn.seconds, 3),
            "clicks": drawn.clicks,
            "replaces": replaces,
        }
        mask = str(uuid4())
        self._with_lease(lambda: self.client.put(f"/api/masks/{mask}/", {**body, "assignment": self.id}))
        self.sent.append(mask)
        self.ledger.sent(self.image, mask, body)

    def remove(self, mask: str) -> None:
        def gone() -> None:
            try:
                self.client.delete(f"/api/masks/{mask}/")
            except Refused as refusal:
                if refusal.status != 404:
                    raise

        self._with_lease(gone)
        self.ledger.lost_to_people(self.image, mask)

    def submit(self, *, complete: bool) -> bool:
        """False: people disagree about a proposal on it, so it is given back."""

        def close() -> None:
            body = {"masks": self.sent, "complete": complete}
            try:
                self.client.post(f"/api/assignments/{self.id}/submit/", body)
            except Refused as refusal:
                if refusal.code != "masks_missing":
                    raise
                for mask in refusal.body["extra"]["masks"]:
                    self.client.put(f"/api/masks/{mask}/", {**self.ledger.bodies[mask], "assignment": self.id})
                self.client.post(f"/api/assignments/{self.id}/submit/", body)

        try:
            self._with_lease(close)
        except Refused as refusal:
            if refusal.code not in ("masks_undecided", "masks_uncorrected"):
                raise
            self.client.post(f"/api/assignments/{self.id}/release/")
            return False
        return True

    def _with_lease(self, act: Callable[[], Any]) -> None:
        asked_before = self.client.asked_again
        try:
            act()
        except Refused as refusal:
            if refusal.code != "assignment_not_held":
                raise
            if self._is_submitted() and self.client.asked_again > asked_before:
                return  # the first delivery closed it; only its answer was lost
            self.id = self.client.post(f"/api/images/{self.image}/open/")["id"]
            act()

    def _is_submitted(self) -> bool:
        return bool(self.client.get(f"/api/assignments/{self.id}/")["state"] == "submitted")


def _rle(mask: dict[str, Any]) -> run_lengths.Rle:
    return run_lengths.Rle(size=list(mask["size"]), counts=mask["counts"])


def _correcting(mask: dict[str, Any]) -> engine.Correcting:
    """A mask as the page sees it when it is corrected."""
    is_models = mask["origin"] in ("proposed", "automatic")
    return engine.Correcting(run_lengths.decode(_rle(mask)), mask["prompts"], is_models=is_models)
