"""What a run has told so far: JSON lines in a file, which a killed and resumed run goes on with."""

import json
from pathlib import Path
from typing import Any


class Log:
    """
    Args:
        file: None: nothing is written.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.lines: list[dict[str, Any]] = []

    def begin(self, step: int) -> None:
        """Forget what was told after this step: it will be told again."""
        self.lines = []
        if self.file is None:
            return
        if step and self.file.exists():
            told = map(_parsed, self.file.read_text(encoding="utf-8").splitlines())
            self.lines = [line for line in told if line.get("step", step + 1) <= step]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if self.file is not None:
            with open(self.file, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def curve(self, *keys: str) -> list[tuple[float, float]]:
        """(step, value) of each line that has the value, which may lie some keys deep."""
        found = []
        for line in self.lines:
            value: Any = line
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, int | float) and "step" in line:
                found.append((float(line["step"]), float(value)))
        return found


def _parsed(line: str) -> dict[str, Any]:
    """Empty where a kill cut the line short."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}
