"""Where the numbers come from: data, software, hardware, and the commands that repeat them."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from yolox_attn.report.collect import Run
from yolox_attn.runs import RunRecord

HARDWARE: dict[str, Callable[[RunRecord], object]] = {
    "device": lambda record: record.device,
    "cpu": lambda record: record.cpu,
    "threads": lambda record: record.threads,
    "processes": lambda record: record.processes,
    "precision": lambda record: record.precision,
    "memory format": lambda record: record.memory_format,
}
CHECKPOINT_FLAGS = ("-c", "--ckpt")


def shared_data(runs: Sequence[Run]) -> dict[str, object]:
    """Return what is known of the data and the same in all runs; of an evaluation its split too."""
    data = _shared([run.record.data for run in runs])
    evaluations = [run.evaluated for run in runs if run.evaluation is not None]
    if len(evaluations) == len(runs):
        told = _shared(evaluations)
        data |= {key: told[key] for key in ("split", "annotations") if key in told}
    return data


def shared_software(runs: Sequence[Run]) -> dict[str, str]:
    """Return the versions that all runs share; what differs stands in the notes."""
    shared = _shared([run.record.versions for run in runs])
    return {name: str(version) for name, version in shared.items()}


def shared_hardware(runs: Sequence[Run]) -> dict[str, str]:
    """Return what all runs were trained on, and how."""
    told = [{name: fact(run.record) for name, fact in HARDWARE.items()} for run in runs]
    return {name: str(value) for name, value in _shared(told).items()}


def training_commands(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the command lines that train the runs again, each once."""
    return tuple(dict.fromkeys(training_command(run.record) for run in runs))


def training_command(record: RunRecord) -> str:
    """Return the run's command line, as from the project's folder.

    A run that was continued is trained again from its start: without --resume, and from the
    weights that it once began with.
    """
    words = [*_program(record.command), *_arguments(record)]
    return shlex.join(words)


def _program(command: Sequence[str]) -> list[str]:
    script = PurePath(command[0]) if command else PurePath()
    if script.parts[-2:] == ("tools", "train.py"):
        return ["python", "tools/train.py"]
    if script.parts[-3:] == ("yolox_attn", "cli", "__main__.py"):
        return ["python", "-m", "yolox_attn.cli"]
    if script.stem == "yolox-attn":
        return ["yolox-attn"]
    return list(command[:1])


def _arguments(record: RunRecord) -> list[str]:
    words = record.command[1:]
    if "--resume" not in words:
        return words
    kept, skip = [], False
    for word in words:
        flag = word.split("=")[0]
        if not skip and word != "--resume" and flag not in CHECKPOINT_FLAGS:
            kept.append(word)
        skip = not skip and word in CHECKPOINT_FLAGS
    place = 1 if kept[:1] == ["train"] else 0
    if record.pretrained:
        kept[place:place] = ["-c", str(record.pretrained.get("file"))]
    return kept


def _shared(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entries that all have, known and equal."""
    first, *others = each
    return {
        key: value
        for key, value in first.items()
        if value is not None and all(other.get(key) == value for other in others)
    }
