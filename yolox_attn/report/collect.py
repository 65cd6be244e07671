"""Which runs are compared: found on disk, ended, evaluated, and each of them once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.report.evaluation import read_evaluation
from yolox_attn.runs import DETECTIONS_NAME, RECORD_NAME, RunRecord, read_record

# State of a run that did not end -> what the user can do about it.
UNFINISHED = {
    "running": "let it end, or leave it out",
    "interrupted": "go on with --resume, or leave it out",
    "killed": "its process is gone: go on with --resume, or leave it out",
}
STOPPED = ("interrupted", "killed")


@dataclass(frozen=True)
class Run:
    """A run folder and what its run.json says.

    Args:
        evaluation: folder of another evaluation of the run's latest checkpoint, as the eval
            command writes it; its figures and detections then count instead of the run's own.
    """

    folder: Path
    record: RunRecord
    evaluation: Path | None = None

    @property
    def name(self) -> str:
        """The variant that this is a run of."""
        return self.record.name

    @property
    def title(self) -> str:
        """The run in a sentence: variant and seed."""
        seed = self.record.seed
        return f"{self.name} (no seed)" if seed is None else f"{self.name} seed {seed}"

    @property
    def figures(self) -> dict[str, float | None]:
        """The COCO figures that count, fractions.

        Raises:
            InputError: the evaluation's figures.json cannot be read.
        """
        if self.evaluation is None:
            return self.record.figures
        return dict(self.evaluated["figures"])

    @property
    def detections(self) -> Path:
        """Where the detections behind the figures should be."""
        return (self.evaluation or self.folder) / DETECTIONS_NAME

    @property
    def test_size(self) -> tuple[int, int]:
        """Height and width of the images that the figures are of."""
        source = self.record.config if self.evaluation is None else self.evaluated
        height, width = source["test_size"]
        return height, width

    @cached_property
    def evaluated(self) -> dict[str, Any]:
        """What the evaluation's figures.json says; empty where the run has no other evaluation.

        Raises:
            InputError: it cannot be read or is no such file.
        """
        return {} if self.evaluation is None else read_evaluation(self.evaluation)


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """Return the runs at `paths`: each a run folder, or a folder whose subfolders are runs.

    Raises:
        InputError: no run there, a record that cannot be read, a run that has not ended well or
            has no AP, or one variant and seed twice.
    """
    runs = [Run(folder, read_record(folder)) for path in paths for folder in _folders(path)]
    if faults := [fault for run in runs if (fault := _fault(run))]:
        raise InputError("; ".join(faults))
    _refuse_repeats(runs)
    return runs


def by_variant(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs of each variant, in the order in which they come, seeds ascending.

    Raises:
        InputError: two different blocks go by one name.
    """
    variants: dict[str, list[Run]] = {}
    for run in runs:
        variants.setdefault(run.name, []).append(run)
    for name, members in variants.items():
        _refuse_two_blocks(name, members)
        members.sort(key=lambda run: (run.record.seed is None, run.record.seed or 0))
    return variants


def describe_attention(record: RunRecord) -> str:
    """Return what stands where: "none", "cam", "eca at dark3, acmix at dark5", "cam, identity"."""
    blocks = {level: each["block"] for level, each in record.attention.items()}
    placed = {level: block for level, block in blocks.items() if block != "none"}
    if not placed:
        return "none"
    everywhere = len(placed) == 3 and len(set(placed.values())) == 1
    text = ", ".join(f"{block} at {level}" for level, block in placed.items())
    text = next(iter(placed.values())) if everywhere else text
    return text if record.attention_init == "published" else f"{text}, {record.attention_init}"


def _folders(path: Path) -> list[Path]:
    if not path.is_dir() or (path / RECORD_NAME).is_file():
        return [path]
    folders = sorted(each.parent for each in path.glob(f"*/{RECORD_NAME}"))
    if not folders:
        raise InputError(f"{path}: neither it nor a folder in it has a {RECORD_NAME}")
    return folders


def _fault(run: Run) -> str | None:
    """Say why the run cannot be compared, in words that name its folder."""
    record = run.record
    if record.state == "failed":
        return f"{run.folder}: the run failed: {record.error or 'it does not say why'}"
    if record.state != "finished":
        way = UNFINISHED.get(record.state, "leave it out")
        return (
            f"{run.folder}: the run {'was' if record.state in STOPPED else 'is'} {record.state}, "
            f"{record.epoch} epochs done; {way}"
        )
    if early := record.stopped_early:
        return (
            f"{run.folder}: its validation split ended the run after epoch {early.get('epoch')} "
            "(patience), so it cannot judge it; train without patience, or leave it out"
        )
    if record.figures.get("AP") is None:
        return f"{run.folder}: the run has no evaluation, so there is no AP to compare"
    return None


def _refuse_repeats(runs: Sequence[Run]) -> None:
    """Refuse one run in two places: the same variant and seed, or the same process and start."""
    seen: dict[tuple[object, ...], Run] = {}
    for run in runs:
        record = run.record
        keys: list[tuple[object, ...]] = [("started", record.started, record.pid)]
        if record.seed is not None:
            keys.append(("seed", run.name, record.seed))
        for key in keys:
            if other := seen.get(key):
                raise InputError(
                    f"{other.folder} and {run.folder} are both {run.title}; leave one out"
                )
            seen[key] = run


def _refuse_two_blocks(name: str, runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        ours, theirs = first.record, run.record
        if (ours.attention, ours.attention_init) != (theirs.attention, theirs.attention_init):
            raise InputError(
                f"{first.folder} and {run.folder} are both called {name} but differ in attention: "
                f"{_details(ours)} / {_details(theirs)}; name one of them anew with -expn"
            )


def _details(record: RunRecord) -> str:
    options = {level: each.get("options") for level, each in record.attention.items()}
    return f"{describe_attention(record)} with options {options}"
