"""attempts.jsonl: every process that was started for a run of the study, and how it ended."""

import json
import re
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from yolox_attn.errors import InputError, Interrupted
from yolox_attn.runs import write_text

LEDGER_NAME = "attempts.jsonl"
LONGEST = 300  # characters kept of an error
TAIL = 64 * 1024  # bytes of a log that are searched for it
CTRL_C = 130
# Codes of a process that was stopped from outside: its run goes on where it was saved last.
STOPPED = {
    *(Interrupted.CODE, CTRL_C),
    *(-signal.Signals[name].value for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGKILL")
      if name in signal.Signals.__members__),
}  # fmt: skip
TOLD = re.compile(r"^(error: .+|[\w.]*(?:Error|Exception): .+)$", re.MULTILINE)


@dataclass(frozen=True)
class Attempt:
    """One process, ended.

    Args:
        work: "train" or "evaluate".
        started, ended: with their zone, to the second.
        code: its exit code; minus a signal's number if that ended it.
        error: the last error that it told, None if it did what it should.
    """

    variant: str
    seed: int
    work: str
    started: str
    ended: str
    code: int
    error: str | None = None

    @property
    def failed(self) -> bool:
        """It ended by a fault of its own; one that was stopped can go on."""
        return self.error is not None and self.code not in STOPPED


def record_attempt(folder: Path, attempt: Attempt) -> None:
    """Add a line to the ledger; only for who holds the study."""
    path = folder / LEDGER_NAME
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, before + json.dumps(asdict(attempt)) + "\n")


def read_attempts(folder: Path) -> list[Attempt]:
    """Return the ledger's lines in their order; empty before the first.

    Raises:
        InputError: a line is no attempt.
    """
    path = folder / LEDGER_NAME
    if not path.exists():
        return []
    attempts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            attempts.append(Attempt(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}, line {number}: not an attempt: {error}") from error
    return attempts


def error_of(code: int, log: Path, start: int) -> str | None:
    """Say why a process ended with `code`: by a signal, or as the log tells from byte `start`."""
    if code == 0:
        return None
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(start, size - TAIL))
        text = file.read().decode(errors="replace")
    told = TOLD.findall(text) or [line for line in text.splitlines() if line.strip()]
    error = told[-1].strip() if told else f"exit code {code}, and it said nothing"
    return error[:LONGEST].removeprefix("error: ")
