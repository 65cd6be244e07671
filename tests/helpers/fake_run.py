"""A run of a study without its training, for the tests of what starts runs and waits for them.

fake_run.py FOLDER NAME SEED HOW EVENTS RECORD: it notes in EVENTS that it starts and ends, takes
the folder's lock, writes a record like RECORD as training does, and ends at once ("finish",
"fail"), before it has begun ("refuse"), in a crash ("abort"), or when SIGTERM, then having saved,
or a file FOLDER/go asks it to ("wait").
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from yolox_attn.errors import Interrupted
from yolox_attn.runs import RunRecord, hold, write_record


def main() -> int:
    folder, name, seed, how = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    note(f"start {name} {seed} threads {os.environ['OMP_NUM_THREADS']}")
    if how == "refuse":
        print("error: no such thing", file=sys.stderr)
        return 2
    if how == "abort":
        os.abort()
    folder.mkdir(parents=True, exist_ok=True)
    record = RunRecord(**json.loads(Path(sys.argv[6]).read_text()))
    record.name, record.seed, record.pid = name, seed, os.getpid()
    record.state, record.seconds = "running", 60.0
    with hold(folder):
        code = work(folder, record, how)
        write_record(folder, record)
    note(f"end {name} {seed}")
    return code


def work(folder: Path, record: RunRecord, how: str) -> int:
    """Change the record to what it is at the end; return the exit code."""
    if how == "fail":
        record.state, record.error = "failed", "TrainingError: the loss is not finite"
        print("error: the loss is not finite", file=sys.stderr)
        return 1
    received = []

    def receive(number: int, _: FrameType | None) -> None:
        received.append(number)

    signal.signal(signal.SIGTERM, receive)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    record.epoch = 1
    write_record(folder, record)
    (folder / "latest_ckpt.pth").touch()
    end = time.monotonic() + 60  # a test that fails must not wait for ever
    while how == "wait" and time.monotonic() < end and not (folder / "go").exists():
        if received:
            time.sleep(0.3)  # saving
            record.state = "interrupted"
            return Interrupted.CODE
        time.sleep(0.01)
    record.state, record.epoch = "finished", 3
    return 0


def note(line: str) -> None:
    with Path(sys.argv[5]).open("a") as events:
        events.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
