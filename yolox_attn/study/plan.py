"""plan.json: what a study will run and how it will be judged, fixed before the first run."""

import dataclasses
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.names import PLAN_NAME
from yolox_attn.runs import file_hash, read_json, write_json
from yolox_attn.runs.codec import convert
from yolox_attn.stats.stages import Stages
from yolox_attn.stats.terms import Terms

RUNS, ATTEMPTS_NAME, ADDED_NAME = "runs", "attempts.jsonl", "added.json"  # next to the plan
SCHEMA = 1
# Fields that older plans do not have: left out while they are empty, so that a hash stays as it is.
LATER = {"groups_sha256", "data_sha256", "sources", "command", "edition", "stages"}


@dataclass(frozen=True)
class PlannedVariant:
    """One experiment of the study; runs of it differ in their seed alone.

    Args:
        name: of the variant, and of its folder below `runs`.
        role: "baseline", "variant", or "control", which is outside the Holm family.
        exp_file, exp_name: what -f or -n of the train command gets; one of the two.
        exp_sha256: of the Exp file, None for a name.
        overrides: `key value` words of this variant alone, before those of the whole study.
    """

    name: str
    role: str
    exp_file: str | None
    exp_name: str | None
    exp_sha256: str | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """What every run of the study is trained with.

    Args:
        data: folder in COCO layout; None where the Exp files say it.
        checkpoint: pretrained weights, and their sha256.
        threads: of each run: another number changes a run's last bits.
        overrides: `key value` words of all runs.
    """

    data: str | None
    batch_size: int = 8
    accumulate: int = 1
    precision: str = "fp32"
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    threads: int = 1
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A study before its first run.

    Args:
        variants: the baseline first, then controls and blocks in the order of the command.
        split: the one that judges; the last EMA checkpoint of every run is evaluated on it.
        truth: its annotations, and their sha256.
        terms: smallest effect worth having, alpha, resamples.
        groups: key of the image entries, or a csv file, of images that belong together.
        expected: the estimates of time, memory and detectable effect, as they were then.
        groups_sha256: of the csv file, if `groups` is one.
        data_sha256: path -> sha256 of the train and val annotations.
        sources: path -> sha256 of the user's own modules that the Exps import.
        command: what was typed to make it.
        edition: of the procedure that judged when it was made; 0 before they were counted.
        stages: the looks at which it is judged, and their levels; None: once, with all seeds.
    """

    variants: tuple[PlannedVariant, ...]
    seeds: tuple[int, ...]
    training: Training
    split: str
    truth: str
    truth_sha256: str
    terms: Terms
    created: str
    groups: str | None = None
    metric: str = "AP"
    versions: dict[str, str] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    groups_sha256: str | None = None
    data_sha256: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    command: str = ""
    edition: int = 0
    stages: Stages | None = None

    @property
    def baseline(self) -> PlannedVariant:
        """The variant that all others are compared with."""
        return self.variants[0]

    @property
    def family_size(self) -> int:
        """How many variants share alpha: the controls do not."""
        return sum(variant.role == "variant" for variant in self.variants)

    @property
    def hash(self) -> str:
        """Sha256 of the plan's content: whoever changes the plan changes it."""
        return hashlib.sha256(json.dumps(_values(self), sort_keys=True).encode()).hexdigest()


def write_plan(folder: Path, plan: Plan) -> Path:
    """Write plan.json with its hash.

    Raises:
        InputError: as `refuse_planned`.
    """
    refuse_planned(folder)
    path = folder / PLAN_NAME
    write_json(path, {"schema": SCHEMA, "hash": plan.hash, **_values(plan)})
    return path


def refuse_planned(folder: Path) -> None:
    """Refuse a folder that cannot take a new plan.

    Raises:
        InputError: it is a file, or holds a plan: a study keeps the one that it began with. Or it
            holds what another plan's study left there, whose runs would be taken for this one's.
    """
    path = folder / PLAN_NAME
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; a study is a folder")
    if path.exists():
        raise InputError(f"{path} is there already; a study keeps its plan: choose another folder")
    for name in (RUNS, ATTEMPTS_NAME, ADDED_NAME):
        if (left := folder / name).exists():
            raise InputError(f"{left}: {folder} holds runs of another plan; choose another folder")


def read_plan(folder: Path) -> Plan:
    """Return the plan in `folder`.

    Raises:
        InputError: there is none, it cannot be read, or it was changed after it was made.
    """
    path = folder / PLAN_NAME
    if not path.is_file():
        raise InputError(
            f"{folder} is not a study folder: it has no {PLAN_NAME}; make one by `study plan`"
        )
    what = "a whole plan"
    values = read_json(path, dict[str, Any], what)
    if values.pop("schema", None) != SCHEMA:
        raise InputError(f"{path}: not a plan of schema {SCHEMA}")
    recorded = values.pop("hash", None)
    plan = convert(values, Plan, str(path), what)
    if plan.hash != recorded:
        raise InputError(
            f"{path} was changed after it was made (its hash is {plan.hash[:12]}, it says "
            f"{str(recorded)[:12]}); a study is judged by the plan it began with: plan a new one"
        )
    return plan


def check_unchanged(plan: Plan, only: Collection[str | None] | None = None) -> None:
    """Refuse to run, to add to or to judge what is not what was planned any more.

    Raises:
        InputError: a file that the plan binds (Exp file, annotations, csv of groups, checkpoint,
            the user's own module), or of those in `only`, is gone, cannot be read, or is another.
    """
    training = plan.training
    files = [(each.exp_file, each.exp_sha256) for each in plan.variants]
    files += [(plan.truth, plan.truth_sha256), (training.checkpoint, training.checkpoint_sha256)]
    files += [(plan.groups, plan.groups_sha256), *plan.data_sha256.items(), *plan.sources.items()]
    for file, planned in dict.fromkeys(files):
        if file is None or planned is None or (only is not None and file not in only):
            continue
        try:
            now = file_hash(Path(file))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise InputError(
                f"{file} is gone; the study was planned with it: put it back"
            ) from error
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}") from error
        if now != planned:
            raise InputError(
                f"{file} was changed after the study was planned (sha256 {now[:12]}, planned "
                f"{planned[:12]}), and would make another study of it: put it back, or plan anew"
            )


def _values(plan: Plan) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(plan)))
    return {key: value for key, value in values.items() if value or key not in LATER}
