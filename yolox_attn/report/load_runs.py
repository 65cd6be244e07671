"""The runs that are to be compared: their folders and records, other evaluations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, overload

from yolox_attn.coco.evaluate import Metrics
from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.console import called_as, printable, shortlist
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.names import PLAN_NAME
from yolox_attn.report.comparison import Dropped
from yolox_attn.runs import (
    DETECTIONS_NAME,
    RECORD_NAME,
    RunRecord,
    read_json,
    read_record,
)
from yolox_attn.runs.codec import convert

OLD_EVALUATION = "figures.json"  # what evaluation.json was called, with other words in it
UNFINISHED = {  # state of a run that has not ended -> how to say it, and what to do about it
    "running": ("is running", "let it end, or leave it out"),
    "interrupted": ("was interrupted", "go on with --resume, or leave it out"),
    "killed": ("was killed", "its process is gone: go on with --resume, or leave it out"),
}


class _Checkpoint(TypedDict):
    file: str
    sha256: str


class _Needed(TypedDict):
    metrics: Metrics
    checkpoint: _Checkpoint
    split: str
    annotations: str
    test_size: tuple[int, int]


class _Evaluated(_Needed, total=False):
    """What a comparison takes from an evaluation.json."""

    data_dir: str | None


@dataclass(frozen=True)
class Run:
    """A run folder and what its run.json says.

    Args:
        evaluation: folder of another evaluation of the run's latest checkpoint, as the eval
            command writes it; its metrics and detections then count instead of the run's own.
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
        """Variant and seed: what the run is called in a sentence."""
        seed = self.record.seed
        return f"{self.name} (no seed)" if seed is None else f"{self.name} seed {seed}"

    @property
    def metrics(self) -> Metrics:
        """The COCO metrics that count, fractions."""
        return self.record.metrics if self.evaluation is None else self.evaluated["metrics"]

    @property
    def detections(self) -> Path:
        """Where the detections behind the metrics should be."""
        return (self.evaluation or self.folder) / DETECTIONS_NAME

    @property
    def test_size(self) -> tuple[int, int]:
        """Height and width of the images that the metrics are of."""
        source = self.record.config if self.evaluation is None else self.evaluated
        height, width = source["test_size"]
        return height, width

    @cached_property
    def evaluated(self) -> dict[str, Any]:
        """What the evaluation.json of the other evaluation says; empty where there is none.

        Raises:
            InputError: it cannot be read, or is another file of that name.
        """
        return {} if self.evaluation is None else read_evaluation(self.evaluation)


@dataclass(frozen=True, repr=False)
class Runs(Sequence[Run]):
    """The runs at some paths, in the order of a report; printed it is a line each.

    Args:
        named: by their own folders: they must fit together.
        in_folders: found in other folders: those that fit the others are compared.
        left_out: what lies in those folders and cannot be compared.
    """

    named: tuple[Run, ...]
    in_folders: tuple[Run, ...] = ()
    left_out: tuple[Dropped, ...] = ()

    def __len__(self) -> int:
        return len(self.named) + len(self.in_folders)

    @overload
    def __getitem__(self, place: int) -> Run: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Run]: ...

    def __getitem__(self, place: int | slice) -> Run | Sequence[Run]:
        return (*self.named, *self.in_folders)[place]

    def __repr__(self) -> str:
        lines = [f"{run.title}: AP {100 * (run.metrics['AP'] or 0):.2f}" for run in self]
        lines += [f"left out: {each.title}: {each.why}" for each in self.left_out]
        return "\n".join(map(printable, lines))


def load_runs(*paths: str | Path) -> Runs:
    """Return the runs at `paths`, as the `compare` command finds them.

    A path is a run's folder, or a folder with runs one or two levels down (a variant's seeds, all
    variants of a study, YOLOX_outputs). What has not ended well is refused where it is named, and
    left out where it was found.

    Args:
        paths: in the order in which they are to be shown.

    Raises:
        InputError: a path without runs, or a study; a named run that cannot be compared; or one
            variant and seed named twice.
    """
    places = [expanded(path) for path in paths]
    for path in places:
        _refuse_runs_within(path)
    named = find_runs(path for path in places if not _is_collection(path))
    found, left_out = list[Run](), list[Dropped]()
    seen = {run.folder.resolve() for run in named}
    for path in filter(_is_collection, places):
        new = [each for each in _folders_in(path) if each.resolve() not in seen]
        seen |= {each.resolve() for each in new}
        fit, unfit = _read(new)
        found += fit
        left_out += unfit
    if not named and not found:
        reasons = shortlist((each.why for each in left_out), 2)
        raise InputError(f"no run to compare in {', '.join(map(str, places))}: {reasons}")
    return Runs(tuple(named), tuple(found), tuple(left_out))


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """Return the runs whose folders `paths` are.

    Raises:
        InputError: no run there, a record that cannot be read, a run that has not ended well or
            has no AP, or one variant and seed twice.
    """
    runs = [Run(path, read_record(path)) for path in paths]
    if faults := [fault for run in runs if (fault := fault_of(run))]:
        raise InputError("; ".join(faults))
    refuse_repeats(runs)
    return runs


def run_folders(path: Path) -> list[Path]:
    """Return `path` if it is a run's folder, else the run folders in it, one or two levels down."""
    if not path.is_dir() or (path / RECORD_NAME).is_file():
        return [path]
    found = [sorted(path.glob(f"{levels}{RECORD_NAME}")) for levels in ("*/", "*/*/")]
    folders = [each.parent for level in found for each in level]
    if not folders:
        raise InputError(f"{path}: no {RECORD_NAME} in it, nor one or two folders down")
    return folders


def by_variant(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs of each variant, in the order in which they come, seeds ascending.

    Raises:
        InputError: two different blocks go by one name.
    """
    variants: dict[str, list[Run]] = {}
    for run in runs:
        variants.setdefault(run.name, []).append(run)
    for name, group in variants.items():
        _refuse_two_blocks(name, group)
        group.sort(key=lambda run: (run.record.seed is None, run.record.seed or 0))
    return variants


def attention_in_words(record: RunRecord) -> str:
    """Return what stands where: "none", "cam", "eca at dark3, acmix at dark5", "cam, identity"."""
    blocks = {level: each["block"] for level, each in record.attention.items()}
    placed = {level: block for level, block in blocks.items() if block != "none"}
    if not placed:
        return "none"
    everywhere = len(placed) == 3 and len(set(placed.values())) == 1
    words = [f"{block} at {level}" for level, block in placed.items()]
    text = next(iter(placed.values())) if everywhere else ", ".join(words)
    return text if record.attention_init == "published" else f"{text}, {record.attention_init}"


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Return what evaluation.json in `folder` says.

    Raises:
        InputError: it cannot be read, or is another file of that name.
    """
    path = folder / EVALUATION_NAME
    if not path.exists() and (folder / OLD_EVALUATION).exists():
        raise InputError(
            f"{folder / OLD_EVALUATION} is of an earlier version: evaluate again (the eval "
            f"command, or `study run`), which writes {EVALUATION_NAME}"
        )
    what = "what the eval command writes"
    values = read_json(path, dict[str, Any], what)
    if missing := sorted(_Needed.__annotations__.keys() - values.keys()):
        raise InputError(f"{path}: not {what}: {', '.join(missing)} missing")
    needed = {key: values[key] for key in _Evaluated.__annotations__ if key in values}
    convert(needed, _Evaluated, str(path), what)
    return values


def fault_of(run: Run) -> str | None:
    """Say why the run cannot be compared, in words that name its folder."""
    record = run.record
    if record.state == "failed":
        return f"{run.folder}: the run failed: {record.error or 'no error recorded'}"
    if record.state != "finished":
        state, remedy = UNFINISHED.get(record.state, (f"is {record.state}", "leave it out"))
        return f"{run.folder}: the run {state}, {record.epoch} epochs done; {remedy}"
    if early := record.stopped_early:
        return (
            f"{run.folder}: its validation split ended the run after epoch {early.get('epoch')} "
            "(patience), so it cannot judge it; train without patience, or leave it out"
        )
    if record.metrics.get("AP") is None:
        return f"{run.folder}: the run has no evaluation, so there is no AP to compare"
    return None


def refuse_repeats(runs: Sequence[Run]) -> None:
    """Refuse one run in two places, whatever seed it says, and one variant and seed twice.

    Raises:
        InputError: names both places.
    """
    seen: dict[tuple[object, ...], Run] = {}
    for run in runs:
        identity, seed = run.record.identity, ("seed", run.name, run.record.seed)
        if other := seen.get(identity):
            raise InputError(
                f"{other.folder} and {run.folder} are one run ({run.title}) in two places; leave "
                "one out"
            )
        if run.record.seed is not None and (other := seen.get(seed)):
            both = f"{other.folder} and {run.folder} are both {run.title}"
            raise InputError(f"{both}; leave one out")
        seen |= {identity: run, seed: run}


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
    return f"{attention_in_words(record)} with options {options}"


def _refuse_runs_within(path: Path) -> None:
    if (path / RECORD_NAME).is_file() and (seeds := sorted(path.glob(f"seed*/{RECORD_NAME}"))):
        inside = ", ".join(each.parent.name for each in seeds)
        raise InputError(
            f"{path} is a run without a seed of its own, and has runs in it ({inside}): name "
            f"those alone, {path}/seed*, or move one of the two elsewhere"
        )


def _is_collection(path: Path) -> bool:
    return path.is_dir() and not (path / RECORD_NAME).is_file()


def _folders_in(path: Path) -> list[Path]:
    if (path / PLAN_NAME).is_file():
        raise InputError(
            f"{path} is a study: `{called_as('study')} report {path}` judges it by its plan; its "
            f"runs alone are in {path / 'runs'}"
        )
    return run_folders(path)


def _read(folders: Iterable[Path]) -> tuple[list[Run], list[Dropped]]:
    """Return the runs that can be compared, and those that cannot, with the reason."""
    runs: list[Run] = []
    dropped: list[Dropped] = []
    for folder in folders:
        try:
            run = Run(folder, read_record(folder))
        except InputError as error:
            dropped.append(Dropped(str(folder), None, str(error)))
            continue
        if fault := fault_of(run):
            dropped.append(Dropped(run.name, run.record.seed, fault))
        else:
            runs.append(run)
    return runs, dropped
