"""No mask lost, none doubled: what the people remember against what the server says it has."""

import hashlib
from collections import Counter
from typing import Any

from backend.insights.simulation.admin import Admin
from backend.insights.simulation.ledger import Ledger

BY_PEOPLE = ("assisted", "brush")


def count_up(
    admin: Admin, ledger: Ledger, images: list[dict[str, Any]], automatic: dict[str, Any], *, asked_again: int
) -> dict[str, Any]:
    """
    Args:
        asked_again: how often a request of anybody's had to be sent once more.
    Returns:
        put: masks that people sent; expected: those of them that must count; in_database: masks by people that do;
        lost, strange, doubled; the same for accepted proposals and for automatic masks; digest: of all masks by people,
        whatever their ids are.
    """
    expected = {mask for masks in ledger.masks.values() for mask in masks}
    found: Counter[str] = Counter()
    outlines: Counter[tuple[str, str]] = Counter()
    proposed: set[tuple[str, str]] = set()
    automatic_found = 0
    digest = hashlib.sha256()
    for image in sorted(images, key=lambda one: one["file_name"]):
        for mask in sorted(admin.client.get(f"/api/images/{image['id']}/masks/"), key=lambda one: one["counts"]):
            if mask["origin"] in BY_PEOPLE:
                found[mask["id"]] += 1
                outlines[image["id"], mask["counts"]] += 1
                digest.update(f"{image['file_name']} {mask['counts']}\n".encode())
            elif mask["origin"] == "proposed":
                proposed.add((image["id"], mask["counts"]))
            else:
                automatic_found += 1
    accepted = ledger.accepted()
    sent_twice = Counter(
        (image, ledger.bodies[mask]["counts"]) for image, masks in ledger.masks.items() for mask in masks
    )
    # Who judged a known outline was not told that it was one, so it is among what they accepted.
    size_of = {image["id"]: (image["height"], image["width"]) for image in images}
    lost = {
        (image, counts) for image, counts in accepted - proposed if not ledger.is_known(image, size_of[image], counts)
    }
    said = admin.get("")["counts"]
    return {
        "put": ledger.put,
        "expected": len(expected),
        "in_database": found.total(),
        "server_says": said["masks_human"],
        "lost": len(expected - set(found)),
        "strange": len(set(found) - expected),
        "doubled": sum(max(0, number - sent_twice[outline]) for outline, number in outlines.items())
        + sum(number - 1 for number in found.values()),
        "replaced_or_removed": len(ledger.gone),
        "accepted_proposals": len(accepted & proposed),
        "accepted_proposals_lost": len(lost),
        "proposals_that_nobody_accepted": len(
            {outline for outline in proposed if "accept" not in ledger.answers.get(outline, [])}
        ),
        "known_questions": sum(one["known"] for one in admin.get("review/people/")),
        "automatic_in_database": automatic_found,
        "automatic_made": automatic.get("run_masks", 0),
        "automatic_changed_by_audits": sum(
            1 for entry in ledger.entries if entry.kind in ("repaired", "audit_removed")
        ),
        "verdicts": sum(len(answers) for answers in ledger.answers.values()),
        "asked_again": asked_again,
        "digest": digest.hexdigest(),
    }
