"""What follows from people's verdicts, and how well people agree. Plain values: no database."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backend.annotation.models import MaskState
from backend.review.models import Answer

#: An undecided mask is shown to so many people; then somebody takes it into the workspace.
MOST_OPINIONS = 3

STATE_OF: dict[str, MaskState] = {
    Answer.ACCEPT: MaskState.ACTIVE,
    Answer.FIX: MaskState.FAULTY,
    Answer.NOT_AN_OBJECT: MaskState.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """
    Attributes:
        state: of the mask.
        opinions_left: of further people that are wanted.
    """

    state: MaskState
    opinions_left: int


def conclude(answers: Sequence[str], wanted: int) -> Conclusion:
    """What a proposal is, after these people's latest answers.

    One clear answer is enough at once, though a second may be wanted to see whether people agree. Who is unsure asks for
    another opinion, and so do two who disagree; most votes win. Where nobody knows, the mask goes to those who correct:
    they have the tools to mend it or to take it out.

    Args:
        wanted: how many people were to be asked in any case.
    """
    votes = Counter(answer for answer in answers if answer != Answer.UNSURE)
    if not answers:
        return Conclusion(MaskState.PROPOSED, wanted)
    best = votes.most_common(2)
    is_tie = not best or (len(best) > 1 and best[0][1] == best[1][1])
    if not is_tie:
        left = max(0, wanted - len(answers)) if len(best) == 1 else 0
        return Conclusion(STATE_OF[best[0][0]], left)
    # Two who are both unsure have said enough; two who contradict each other have not.
    enough = MOST_OPINIONS if votes else MOST_OPINIONS - 1
    if len(answers) < enough:
        return Conclusion(MaskState.PROPOSED, 1)
    return Conclusion(MaskState.FAULTY, 0)


def cohens_kappa(pairs: Iterable[tuple[str, str]] | Mapping[tuple[str, str], int]) -> float | None:
    """Agreement of two raters beyond chance (Cohen, 1960): (observed - expected) / (1 - expected).

    Args:
        pairs: what each of the two said of the same thing; or how often which pair came.
    Returns:
        1 for perfect agreement, 0 for chance. None where it is not defined: no pair, or both always said one same thing.
    """
    table = Counter(pairs)
    if not table:
        return None
    observed = sum(count for (left, right), count in table.items() if left == right) / table.total()
    lefts: Counter[str] = Counter()
    rights: Counter[str] = Counter()
    for (left, right), count in table.items():
        lefts[left] += count
        rights[right] += count
    expected = sum(lefts[answer] * rights[answer] for answer in lefts) / table.total() ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def is_right(expected: str, answer: str) -> bool:
    """Whether a question's known answer was found. Of a spoiled outline both "fix" and "not an object" say that it is wrong."""
    if expected == Answer.ACCEPT:
        return answer == Answer.ACCEPT
    return answer in (Answer.FIX, Answer.NOT_AN_OBJECT)
