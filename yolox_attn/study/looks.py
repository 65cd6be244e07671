"""looks.json: what each look of a study in stages rested on and said. A look is judged once."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.runs import read_json, write_json
from yolox_attn.runs.codec import convert
from yolox_attn.stats.stages import Stages, Why
from yolox_attn.stats.verdict import Ends, Word
from yolox_attn.study.plan import Plan

LOOKS_NAME = "looks.json"
SCHEMA = 1


@dataclass(frozen=True)
class Finding:
    """What a look says of one variant; differences and intervals as fractions.

    Args:
        seeds: of its pairs; empty where it had none, and then all else is None.
        interval: the repeated one, of confidence 1 - the look's level for one variant; narrow: of
            1 - twice that.
        p_value: of "no difference", unadjusted.
        word, why: of `Outcome`; None while it is open.
        diverged: by how many its diverged runs exceed the baseline's.
    """

    seeds: tuple[int, ...] = ()
    difference: float | None = None
    interval: Ends | None = None
    narrow: Ends | None = None
    p_value: float | None = None
    word: str | None = None
    why: str | None = None
    diverged: int = 0


@dataclass(frozen=True)
class Look:
    """One look, judged.

    Args:
        number: 1 for the first; seeds: how many a side it was planned for.
        judged: when.
        plan: hash of the plan; before: hash of the look before, "" for the first.
        runs: key of each run it rests on -> sha256 of its record and its detections.
        left_out: key of each run that it had to do without -> why: out for all later looks too.
        variants: name -> what it says.
    """

    number: int
    seeds: int
    judged: str
    plan: str
    before: str
    runs: dict[str, str]
    left_out: dict[str, str]
    variants: dict[str, Finding]

    @property
    def hash(self) -> str:
        """Sha256 of all that it holds."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_looks(plan: Plan, folder: Path) -> list[Look]:
    """Return the looks that were judged, in their order; none of a study of one look.

    Raises:
        InputError: the file cannot be read, was changed, or is of another plan.
    """
    path = folder / LOOKS_NAME
    if plan.stages is None or not path.exists():
        return []
    what, looks = "a list of looks", []
    values = read_json(path, dict[str, Any], what)
    if values.get("schema") != SCHEMA:
        raise InputError(f"{path}: not looks of schema {SCHEMA}")
    before = ""
    for number, entry in enumerate(values.get("looks", ()), start=1):
        if not isinstance(entry, dict):
            raise InputError(f"{path}: not {what}")
        recorded = entry.pop("hash", None)
        look = convert(entry, Look, str(path), what)
        if (look.hash, look.number, look.before, look.plan) != (
            recorded,
            number,
            before,
            plan.hash,
        ):
            raise InputError(
                f"{path}: look {number} was changed after it was judged, or is another plan's: put "
                "the file back as it was"
            )
        looks.append(look)
        before = look.hash
    return looks


def write_look(folder: Path, looks: Sequence[Look]) -> None:
    """Write all looks, of which the last is new; only for who holds the study."""
    entries = [{**dataclasses.asdict(each), "hash": each.hash} for each in looks]
    write_json(folder / LOOKS_NAME, {"schema": SCHEMA, "looks": entries})


def decisions(plan: Plan, looks: Sequence[Look]) -> dict[str, tuple[Look, Finding]]:
    """Return what was decided of each block, and by which look: the first that had a word.

    A control is never decided: it is seen anew at every look, and the last one counts.
    """
    found: dict[str, tuple[Look, Finding]] = {}
    for look in looks:
        for name in _blocks(plan):
            finding = look.variants.get(name)
            if finding is not None and finding.word is not None:
                found.setdefault(name, (look, finding))
    return found


def open_variants(plan: Plan, looks: Sequence[Look]) -> list[str]:
    """Return the blocks of which nothing is decided yet."""
    decided = decisions(plan, looks)
    return [name for name in _blocks(plan) if name not in decided]


def claimed(plan: Plan, looks: Sequence[Look]) -> int:
    """Return how many blocks are said to help or hurt: they leave the others a larger level."""
    decided = decisions(plan, looks).values()
    return sum(finding.why == Why.CLAIM.name for _, finding in decided)


def next_look(plan: Plan, looks: Sequence[Look]) -> int | None:
    """Return the number of the look that is to come; None where the study is over."""
    stages = _stages(plan)
    if len(looks) == len(stages.looks) or not open_variants(plan, looks):
        return None
    return len(looks) + 1


def seeds_wanted(plan: Plan, looks: Sequence[Look]) -> dict[str, int]:
    """Return how many of the plan's first seeds each variant is trained with, as far as is known.

    A decided block keeps those of its look; the baseline and the controls go on as long as any
    block is open.
    """
    stages = _stages(plan)
    number = next_look(plan, looks) or len(looks)
    count = stages.looks[number - 1]
    decided = {name: look.seeds for name, (look, _) in decisions(plan, looks).items()}
    return {each.name: decided.get(each.name, count) for each in plan.variants}


def left_out(looks: Sequence[Look]) -> dict[str, str]:
    """Return the runs that a look had to do without, with the reason: out for good."""
    return {
        key: f"left out since look {look.number}: {why}"
        for look in reversed(looks)
        for key, why in look.left_out.items()
    }


def words_of(plan: Plan, looks: Sequence[Look]) -> list[str]:
    """Say what is decided, a line each: "yolox_nano_cam helps (look 1)"."""
    lines = []
    for name, (look, finding) in decisions(plan, looks).items():
        word = Word(finding.word)
        said = (
            f"{name} {word.value}" if word in (Word.HELPS, Word.HURTS) else f"{name}: {word.value}"
        )
        lines.append(f"{said} (look {look.number})")
    return lines


def _blocks(plan: Plan) -> list[str]:
    return [each.name for each in plan.variants if each.role == "variant"]


def _stages(plan: Plan) -> Stages:
    assert plan.stages is not None  # asked of a study in stages alone
    return plan.stages
