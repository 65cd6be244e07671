"""run.json: what was run, how it went, how it ended."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from yolox_attn.errors import InputError
from yolox_attn.runs.codec import convert, read_json, write_json
from yolox_attn.runs.folder import held

RECORD_NAME = "run.json"
SCHEMA = 2
EXP_MODULE = "yolox_attn_exp_"  # an Exp file is imported as this, a hash of its path, its stem
PATH_HASH = re.compile(f"^{EXP_MODULE}[0-9a-f]{{12}}_")
WHAT = "a run record"


class _Block(TypedDict):
    block: str


class Placed(_Block, total=False):
    """What stands at a level: the block, its options, and the shapes of its parameters by name."""

    options: dict[str, Any]
    parameters: dict[str, list[int]]


@dataclass(kw_only=True)
class RunRecord:
    """One training run, complete enough to rebuild its model and to judge its comparisons.

    Args:
        run_id: drawn when the run began: two records with one id are one run. None in records of
            older versions.
        name: the experiment's name; runs of one name and several seeds are one variant.
        state: "running", then "finished", "failed", or "interrupted" (stopped after saving);
            `read_record` says "killed" of a running one whose process is gone.
        exp_file, exp_name_arg, overrides: what -f, -n and the trailing `key value` pairs said.
        exp_sha256: of the Exp file; None without one, and in records that do not say it.
        sources: path -> sha256 of what the Exp file imported from its own folder.
        attention: level -> what was built there; empty for none.
        config: every public attribute of the Exp, as JSON; its folders as whole paths.
        data: dir, train_ann, val_ann, train_sha256, val_sha256, classes, class_names, train_images,
            val_images.
        pretrained: {"file", "sha256"} of the checkpoint that training started from.
        optimised_parameters: numbers in the optimiser; None in records that do not say it.
        gflops: 1e9 FLOPs (2 a multiply-add) of one image at test_size, inference;
            gflops_training: the same for the form that is trained.
        batch_size: images of one pass over all processes; `accumulate` passes make one step.
        deterministic: torch was asked for it; on a CPU a run is deterministic without.
        cpu: the processor's model; host: the machine's name.
        resumed: {"at", "epoch", "iteration", "exact"} of each time the run was continued.
        stopped_early: {"epoch", "patience", "best_epoch"} if the validation split ended the run.
        labels_cut: boxes beyond max_labels, not trained on.
        repairs: what was mended in memory while the data were read, split -> kind -> count.
        seconds: wall time so far, all parts of a resumed run together; images_per_second: of
            training; peak_memory: bytes.
        epoch: how many epochs are finished.
        metrics: the 12 COCO metrics of the latest checkpoint as fractions, None where undefined.
        class_ap: the same checkpoint's AP of each class.
        best_ap: the highest AP of any epoch, None before the first evaluation.
    """

    schema: int = SCHEMA
    name: str
    seed: int | None
    state: str = "running"
    error: str | None = None
    pid: int
    command: list[str]
    exp_file: str | None
    exp_name_arg: str | None
    overrides: list[str]
    attention: dict[str, Placed]
    attention_init: str
    config: dict[str, Any]
    batch_size: int
    precision: str
    memory_format: str
    device: str
    threads: int
    versions: dict[str, Any]
    data: dict[str, Any]
    pretrained: dict[str, Any] | None
    parameters: int
    trainable_parameters: int
    gflops: float
    gflops_training: float | None = None
    started: str
    ended: str | None = None
    seconds: float = 0.0
    images_per_second: float | None = None
    peak_memory: int | None = None
    epoch: int = 0
    metrics: dict[str, float | None] = field(default_factory=dict)
    class_ap: dict[str, float | None] = field(default_factory=dict)
    best_ap: float | None = None
    accumulate: int = 1
    processes: int = 1
    deterministic: bool = False
    cpu: str | None = None
    host: str | None = None
    resumed: list[dict[str, Any]] = field(default_factory=list)
    stopped_early: dict[str, Any] | None = None
    labels_cut: int = 0
    repairs: dict[str, Any] = field(default_factory=dict)
    optimised_parameters: int | None = None
    exp_sha256: str | None = None
    sources: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What no two runs share: the id, or for want of one when and as what the run began."""
        return (self.run_id,) if self.run_id else (self.started, self.host, self.pid)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write `record` to run.json: a reader sees the old file or the new one, never half of one."""
    write_json(folder / RECORD_NAME, record)


def read_record(folder: Path) -> RunRecord:
    """Return the record in `folder`; "running" reads as "killed" if nobody holds the folder.

    Raises:
        InputError: no such folder, no run.json in it, or one that this version cannot read.
    """
    path = folder / RECORD_NAME
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if not path.is_file():
        raise InputError(f"{folder}: not a run folder, it has no {RECORD_NAME}")
    values = read_json(path, dict[str, Any], WHAT)
    schema = values.get("schema")
    if schema == 1:
        values = _renamed(values)
    elif schema != SCHEMA:
        raise InputError(f"{path}: schema {schema!r}; this version reads schemas 1 and {SCHEMA}")
    for key in {"attention", "config"} & values.keys():  # older versions: the module's whole name
        values[key] = plain_names(values[key])
    record = convert(values, RunRecord, str(path), WHAT)
    if record.state == "running" and held(folder) is False:
        record.state = "killed"
    return record


def without_index(device: str) -> str:
    """Return "cuda NVIDIA H100" of "cuda:1 NVIDIA H100": two of one kind are the same hardware."""
    return re.sub(r"^(\w+):\d+", r"\1", device)


def without_path(name: str) -> str:
    """Return "my_exp:Strip" for a block of an Exp file, whose module's name holds a path's hash."""
    return PATH_HASH.sub("", name)


def plain_names(value: Any) -> Any:
    """Return `value` with every text in it `without_path`."""
    if isinstance(value, dict):
        return {key: plain_names(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain_names, value))
    return without_path(value) if isinstance(value, str) else value


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """Return a record of schema 1, which said figures for metrics, and which of the GPUs it was."""
    values = {"metrics" if key == "figures" else key: each for key, each in values.items()}
    if isinstance(device := values.get("device"), str):
        values["device"] = without_index(device)
    return values | {"schema": SCHEMA}
