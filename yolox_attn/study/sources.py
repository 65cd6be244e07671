"""What a study rests on: words of the command, the data that judge, and the user's own code."""

import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import yolox_attn
from yolox_attn.blocks import ATTENTIONS, CONTROLS
from yolox_attn.coco.annotations import read_truth
from yolox_attn.core.prepare import coco_sets
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor import examine_splits
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.exp import AttentionExp, load_exp
from yolox_attn.runs.codec import file_hash
from yolox_attn.stats.bootstrap import groups_from_csv, groups_from_key
from yolox_attn.study.plan import PlannedVariant

STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
PLACES = (sys.prefix, sys.base_prefix, *STANDARD)
INSTALLED = {"site-packages", "dist-packages"}  # also those of a user, outside the prefix
EXP_MODULE = "yolox_attn_exp_"  # as the loader names Exp files; a plan has the sha256 of its own
BLOCKS = tuple(name for name in ATTENTIONS if name != "none")
# Of a variant: it names a folder, and not that of the runs or of the study; and words in a command.
NAME = re.compile(r"(?!\.{1,2}$)[\w.+-]+")


@dataclass(frozen=True)
class DataCheck:
    """What judges the runs.

    Args:
        truth: annotations of the judging split; images: how many.
        annotations: of the train and val splits, for as far as they are COCO sets.
        groups: a key of their entries or a whole path; units: how many groups. None for images.
        remarks: of the data doctor, a sentence each.
    """

    truth: Path
    images: int
    groups: str | None
    units: int | None
    remarks: tuple[str, ...]
    annotations: tuple[Path, ...] = ()


def check_data(exp: AttentionExp, *, batch_size: int, split: str, groups: str | None) -> DataCheck:
    """Look for all data of the runs, let the data doctor see them, and count what judges.

    Raises:
        InputError: files are missing or broken, or the judging split cannot judge.
    """
    train = exp.get_data_loader(batch_size, False)  # noqa: FBT003 - YOLOX's signature
    val = adapt_evaluator(exp.get_evaluator(batch_size, False)).dataloader  # noqa: FBT003
    judging: Any = val.dataset
    if split == "test":
        judging = exp.get_evaluator(batch_size, False, testdev=True).dataloader.dataset  # noqa: FBT003
    if not isinstance(judging, CocoDetection):
        raise InputError(
            f"the {split} images come from {type(judging).__name__}; a study is judged by COCO "
            "annotations: give the folder by --data"
        )
    sets = dict(zip(("train", "val"), coco_sets(train, val) or (), strict=False))
    report = examine_splits(
        {**sets, split: judging},
        num_classes=exp.num_classes,
        max_labels=getattr(exp, "max_labels", None),
    )
    report.refuse()
    truth = _annotations(judging)
    if not read_truth(truth).objects:
        raise InputError(f"{truth} has no annotations: nothing to judge by")
    place, units = _groups(groups, truth)
    remarks = tuple(f"data doctor: {found.line}" for found in report.warnings)
    annotations = tuple(_annotations(each) for each in sets.values())
    return DataCheck(truth, len(judging), place, units, remarks, annotations)


def _annotations(images: CocoDetection) -> Path:
    return Path(images.data_dir, "annotations", images.json_file).resolve()


def _groups(groups: str | None, truth: Path) -> tuple[str | None, int | None]:
    """Return where the groups are listed, a file by its whole path, and how many there are."""
    if groups is None:
        return None, None
    content = read_truth(truth)
    if groups.endswith(".csv"):
        path = Path(groups).expanduser().resolve()
        return str(path), len(np.unique(groups_from_csv(content, path)))
    return groups, len(np.unique(groups_from_key(content, groups)))


def user_sources() -> dict[str, str]:
    """Return path -> sha256 of every file that a module was loaded from and nobody installed.

    To be called when all Exps of a study were built. Neither the program itself, nor Exp files, nor
    the files of this package are among them.
    """
    homes = [Path(each).resolve() for each in (*PLACES, Path(yolox_attn.__file__).parent)]
    found = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")  # some answer any getattr
        is_program = module is sys.modules["__main__"]  # multiprocessing has another name for it
        if not isinstance(file, str) or is_program or name.startswith(EXP_MODULE):
            continue
        path = Path(file)
        if not path.is_absolute() or not path.is_file():  # some name a file that never was
            continue
        whole = path.resolve()
        if INSTALLED.isdisjoint(path.parts) and not any(whole.is_relative_to(h) for h in homes):
            found.add(whole)
    return {str(path): file_hash(path) for path in sorted(found)}


def planned_variants(
    baseline: str, variants: Sequence[str], controls: Sequence[str]
) -> tuple[PlannedVariant, ...]:
    """Return the baseline, then the controls, then the blocks, in the order of the command.

    Args:
        baseline: an Exp file, or a name like "yolox-nano".
        variants: Exp files, names like "yolox-nano-cam", or names of blocks, which stand for the
            baseline's experiment with that block.
        controls: "placebo", or "plain:BLOCK" for as many parameters as BLOCK has.

    Raises:
        InputError: a word that is none of these, an Exp file that fails, or two of one name.
    """
    first = _experiment(baseline, "baseline")
    found = [first, *(_control(word, first) for word in controls)]
    found += [_variant(word, first) for word in variants]
    for name, count in Counter(each.name for each in found).items():
        if count > 1:
            raise InputError(f"{name} is given {count} times; give each variant once")
    return tuple(found)


def _experiment(word: str, role: str) -> PlannedVariant:
    path = Path(word).expanduser()
    is_file = path.suffix == ".py"
    file = str(path.resolve()) if is_file else None
    exp = load_exp(file, None if is_file else word)
    name = str(exp.exp_name)
    if not NAME.fullmatch(name):
        raise InputError(f"{word}: exp_name {name!r} cannot name a folder; use letters, digits, _")
    return PlannedVariant(
        name=name,
        role=role,
        exp_file=file,
        exp_name=None if is_file else word,
        exp_sha256=file_hash(path) if is_file else None,
    )


def _variant(word: str, baseline: PlannedVariant) -> PlannedVariant:
    if word in BLOCKS:
        return _with_block(baseline, "variant", word, {})
    if word.partition(":")[0] in CONTROLS:
        raise InputError(f"--variants {word}: it is a control; give it by --controls {word}")
    if word.endswith(".py") or word.startswith(("yolox-", "yolox_")):
        return _experiment(word, "variant")
    raise InputError(
        f"--variants {word}: no Exp file (x.py), no name (yolox-nano-cam) and no block; blocks: "
        f"{', '.join(sorted(BLOCKS))} (overrides go last, behind an option as -b or behind --)"
    )


def _control(word: str, baseline: PlannedVariant) -> PlannedVariant:
    kind, _, like = word.partition(":")
    if kind == "placebo" and not like:
        return _with_block(baseline, "control", kind, {})
    if kind == "plain" and like in BLOCKS:
        return _with_block(baseline, "control", kind, {"like": like})
    raise InputError(
        f"--controls {word}: it is placebo, or plain:BLOCK; blocks: {', '.join(sorted(BLOCKS))}"
    )


def _with_block(
    baseline: PlannedVariant, role: str, block: str, options: dict[str, str]
) -> PlannedVariant:
    """Return the baseline's own experiment with `block` in it."""
    given = load_exp(baseline.exp_file, baseline.exp_name).attention_options
    overrides = ["attention", block]
    if options or given:  # a baseline's options are those of its own block
        overrides += ["attention_options", str(options)]
    return PlannedVariant(
        name="_".join([baseline.name, block, *options.values()]),
        role=role,
        exp_file=baseline.exp_file,
        exp_name=baseline.exp_name,
        exp_sha256=baseline.exp_sha256,
        overrides=tuple(overrides),
    )
