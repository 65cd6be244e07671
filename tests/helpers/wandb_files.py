"""What wandb has written of its runs offline, read back from its own files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADER, BLOCK = 7, 1 << 15  # bytes: of the file's and of each chunk's header; of a block
WHOLE, LAST = 1, 4  # kinds of chunks; the others go on in the next chunk


@dataclass
class WrittenRun:
    """One run of wandb, as one process has written it."""

    id: str = ""
    project: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)  # with wandb's own _step
    models: list[str] = field(default_factory=list)
    exit_code: int | None = None


def written_runs(folder: Path) -> list[WrittenRun]:
    """Return the runs below `folder`, each process' part by itself, in the order of their time."""
    files = sorted(folder.rglob("*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    return [read_run(path) for path in files]


def read_run(path: Path) -> WrittenRun:
    from wandb.proto.wandb_internal_pb2 import Record

    written = WrittenRun()
    for content in _records(path.read_bytes()):
        record = Record.FromString(content)
        if record.HasField("run"):
            run = record.run
            written.id, written.project, written.name = run.run_id, run.project, run.display_name
            written.group, written.job_type = run.run_group, run.job_type
            written.tags = tuple(run.tags)
            written.config |= {each.key: json.loads(each.value_json) for each in run.config.update}
        elif record.HasField("history"):
            items = record.history.item
            row = {each.key or each.nested_key[0]: json.loads(each.value_json) for each in items}
            written.rows.append(row)
        elif record.HasField("artifact"):
            written.models += [record.artifact.name, *record.artifact.aliases]
        elif record.HasField("exit"):
            written.exit_code = record.exit.exit_code
    return written


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a log in LevelDB's format, which begins with a header of the file."""
    at, parts = HEADER, b""
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:  # the rest of a block is empty
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        at += HEADER
        parts += content[at : at + size]
        at += size
        if kind in (WHOLE, LAST):
            yield parts
            parts = b""
