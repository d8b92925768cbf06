"""What a test must have before the gate decides by it. Arithmetic only: no database, no model."""

from dataclasses import dataclass

LEAST_RESAMPLED = 2  # photos, and groups; one drawn again and again is always itself, and says nothing of others


@dataclass(frozen=True, slots=True)
class Evidence:
    """Photos that people finished, the masks by people there, and the groups that the photos are of."""

    photos: int
    masks: int
    groups: int


def groups_wanted(photos: int) -> int:
    """Half as many groups as photos. With few a bootstrap is too sure: where gains differ by group (simulated, normal), a
    candidate that is no better passes at a `confidence` of 0.90 in 25% of tests of two groups, 15% of five, 12% of ten."""
    return max(LEAST_RESAMPLED, -(-photos // 2))


def evidence_wanted(photos: int, masks: int) -> Evidence:
    """Of fewer than two photos nothing can be said, whatever the dataset wants."""
    return Evidence(max(photos, LEAST_RESAMPLED), masks, groups_wanted(photos))


def evidence_missing(there: Evidence, wanted: Evidence) -> str:
    """What more it takes, in sentences that the page knows again (`said.ts`); "": nothing."""
    wants = [
        f"{more} more test {what}{'s' * (more != 1)}"
        for what, more in (("photo", wanted.photos - there.photos), ("mask", wanted.masks - there.masks))
        if more > 0
    ]
    said = [f"The gate wants {' and '.join(wants)} before it decides."] if wants else []
    more = wanted.groups - there.groups
    # Where each photo is its own group, more photos are more groups, and that has been said.
    if more > 0 and not (wants and there.groups == there.photos):
        said.append(f"It wants photos of {more} more scene{'s' * (more != 1)}: those of one group count as one.")
    return " ".join(said)
