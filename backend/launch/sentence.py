"""What went wrong at the start, in one sentence. Standard library only."""


class Sentence(Exception):
    """A problem that the person at the keyboard can mend: shown without a traceback."""
