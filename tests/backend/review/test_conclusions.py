import pytest

from backend.review.conclusions import Conclusion, cohens_kappa, conclude, is_right


@pytest.mark.parametrize(
    ("answers", "wanted", "state", "left"),
    [
        ([], 1, "proposed", 1),
        (["accept"], 1, "active", 0),
        (["fix"], 1, "faulty", 0),
        (["not_an_object"], 1, "rejected", 0),
        (["unsure"], 1, "proposed", 1),
        (["unsure", "accept"], 1, "active", 0),
        (["unsure", "unsure"], 1, "faulty", 0),
        # One clear answer counts at once, and the second opinion is still wanted.
        (["accept"], 2, "active", 1),
        (["accept", "accept"], 2, "active", 0),
        (["accept", "fix"], 2, "proposed", 1),
        (["accept", "fix", "fix"], 2, "faulty", 0),
        (["accept", "fix", "not_an_object"], 2, "faulty", 0),
        (["accept", "fix", "unsure"], 2, "faulty", 0),
    ],
)
def test_a_masks_state_follows_from_what_people_said(answers: list[str], wanted: int, state: str, left: int) -> None:
    assert conclude(answers, wanted) == Conclusion(state, left)  # type: ignore[arg-type]


def test_kappa_is_what_a_hand_finds() -> None:
    """20 accepted by both, 15 refused by both, 5 and 10 where they differ: Cohen's own kind of table.

    Observed (20 + 15) / 50 = 0.7; expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5; kappa 0.2 / 0.5 = 0.4.
    """
    table = {("accept", "accept"): 20, ("accept", "fix"): 5, ("fix", "accept"): 10, ("fix", "fix"): 15}
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa([(right, left) for left, right in pairs]) == pytest.approx(0.4)
    assert cohens_kappa([("accept", "accept"), ("fix", "fix")]) == 1
    assert cohens_kappa([("accept", "fix"), ("fix", "accept")]) == -1


def test_kappa_is_not_made_up_where_it_is_not_defined() -> None:
    assert cohens_kappa([]) is None
    assert cohens_kappa([("accept", "accept")] * 3) is None


def test_a_spoiled_outline_is_found_by_whoever_does_not_accept_it() -> None:
    assert is_right("accept", "accept")
    assert not is_right("accept", "fix")
    assert is_right("fix", "fix")
    assert is_right("fix", "not_an_object")
    assert not is_right("fix", "accept")
    assert not is_right("fix", "unsure")
