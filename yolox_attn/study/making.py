"""From what a user asks for to a plan: everything is checked before the first run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.core.prepare import examine_data
from yolox_attn.core.record import describe_versions, now
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.exp import AttentionExp
from yolox_attn.stats.judge import Terms
from yolox_attn.stats.resample import groups_from_csv, groups_from_key
from yolox_attn.stats.truth import read_truth
from yolox_attn.study.entries import planned_variants
from yolox_attn.study.members import Member, build_exp, build_member, check_members
from yolox_attn.study.plan import SPLITS, Plan, Training

# A study sets these itself: they are what its runs differ in.
ITS_OWN = {"attention", "attention_options", "seed", "output_dir", "exp_name"}
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Request:
    """What the command line asks for; words as in `planned_variants`, paths as they were given."""

    baseline: str
    training: Training
    variants: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    split: str = "val"
    terms: Terms = field(default_factory=Terms)
    groups: str | None = None


@dataclass(frozen=True)
class Made:
    """A plan, what its variants really are, and what its user should know.

    Args:
        images: of the split that judges; groups: how many they form, None for single images.
        remarks: a sentence each.
    """

    plan: Plan
    members: tuple[Member, ...]
    images: int
    groups: int | None
    remarks: tuple[str, ...]


def make_plan(request: Request) -> Made:
    """Check everything that the runs and the verdict will need, and return the plan.

    Raises:
        InputError: the first thing that cannot work.
    """
    check_request(request)
    training = _absolute(request.training)
    variants = planned_variants(request.baseline, request.variants, request.controls)
    with _quiet():
        members = [build_member(variant, training) for variant in variants]
        remarks = check_members(members)
        exp = build_exp(variants[0], training)
        if request.split == "val" and exp.patience > 0:
            raise InputError(
                f"patience {exp.patience}: the split that judges may not stop a run; set patience "
                "0, or judge on --split test"
            )
        truth, images = check_data(exp, training.batch_size, request.split)
    groups, count = _groups(request.groups, truth)
    roles = [member.role for member in members]
    plan = Plan(
        variants=tuple(replace(v, role=r) for v, r in zip(variants, roles, strict=True)),
        seeds=request.seeds,
        training=training,
        split=request.split,
        truth=str(truth),
        truth_sha256=file_hash(truth),
        terms=request.terms,
        groups=groups,
        created=now(),
        versions=describe_versions(),
    )
    remarks += _remarks(plan, members)
    return Made(plan, tuple(members), images, count, tuple(remarks))


def check_request(request: Request) -> None:
    """Refuse what needs neither data nor model to be seen as wrong.

    Raises:
        InputError: which, and what is allowed.
    """
    if request.split not in SPLITS:
        raise InputError(f"--split {request.split}: it is {' or '.join(SPLITS)}")
    _check_seeds(request.seeds)
    training = request.training
    for key in ("batch_size", "accumulate", "threads"):
        if getattr(training, key) < 1:
            flag = key.replace("_", "-")
            raise InputError(f"--{flag} {getattr(training, key)}: at least 1")
    for key in training.overrides[0::2]:
        if key in ITS_OWN:
            raise InputError(f"override {key}: a study sets it by itself, for each of its runs")
    if training.checkpoint is not None and not Path(training.checkpoint).expanduser().is_file():
        raise InputError(f"no checkpoint {training.checkpoint}")


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds:
        raise InputError("--seeds: at least 1")
    if wrong := [seed for seed in seeds if not 0 <= seed <= LARGEST_SEED]:
        raise InputError(f"--seeds {wrong[0]}: a seed is from 0 to 2**63 - 1")
    if twice := [seed for seed, count in Counter(seeds).items() if count > 1]:
        raise InputError(f"--seeds: {twice[0]} stands there twice; a seed makes one run")


def _absolute(training: Training) -> Training:
    """Return it with whole paths, and the checkpoint's hash."""
    data, checkpoint = (
        None if path is None else Path(path).expanduser().resolve()
        for path in (training.data, training.checkpoint)
    )
    words = list(training.overrides)
    for place, key in enumerate(words[:-1:2]):
        if key == "data_dir":
            words[2 * place + 1] = str(Path(words[2 * place + 1]).expanduser().resolve())
    return replace(
        training,
        overrides=tuple(words),
        data=None if data is None else str(data),
        checkpoint=None if checkpoint is None else str(checkpoint),
        checkpoint_sha256=None if checkpoint is None else file_hash(checkpoint),
    )


def check_data(exp: AttentionExp, batch_size: int, split: str) -> tuple[Path, int]:
    """Look for all data of the runs; return the annotations that judge, and how many images.

    Raises:
        InputError: files are missing or broken, or the judging split cannot judge.
    """
    train = exp.get_data_loader(batch_size, False)  # noqa: FBT003 - the host's signature
    val = adapt_evaluator(exp.get_evaluator(batch_size, False)).dataloader  # noqa: FBT003
    examine_data(train, val, exp)
    judging: Any = val.dataset
    if split == "test":
        judging = exp.get_evaluator(batch_size, False, testdev=True).dataloader.dataset  # noqa: FBT003
    if not isinstance(judging, CocoDetection):
        raise InputError(
            f"the {split} images come from {type(judging).__name__}; a study is judged by COCO "
            "annotations: give the folder by --data"
        )
    truth = Path(judging.data_dir, "annotations", judging.json_file).resolve()
    if not read_truth(truth).objects:
        raise InputError(f"{truth} has no annotations: nothing to judge by")
    return truth, len(judging)


def _groups(groups: str | None, truth: Path) -> tuple[str | None, int | None]:
    """Return where the images' groups are told, a file by its whole path, and how many they are."""
    if groups is None:
        return None, None
    content = read_truth(truth)
    if groups.endswith(".csv"):
        path = Path(groups).expanduser().resolve()
        return str(path), len(np.unique(groups_from_csv(content, path)))
    return groups, len(np.unique(groups_from_key(content, groups)))


def _remarks(plan: Plan, members: Sequence[Member]) -> list[str]:
    remarks = []
    if len(plan.seeds) < 3:
        few = "1 seed" if len(plan.seeds) == 1 else f"{len(plan.seeds)} seeds"
        remarks.append(f"{few}: there will be no verdict; that needs 3 or more")
    fresh = [each for each in members if each.attention]
    published = any(each.config["attention_init"] == "published" for each in fresh)
    if plan.training.checkpoint is not None and published:
        remarks.append(
            "fresh blocks change what the pretrained neck sees from the first step; with the "
            "override attention_init identity every variant starts where the checkpoint was"
        )
    return remarks


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the library log nothing: what matters is told once, by the plan, not for each model."""
    logger.disable("yolox_attn")
    try:
        yield
    finally:
        logger.enable("yolox_attn")
