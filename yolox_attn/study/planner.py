"""From what a user asks for to plan.json: everything checked, built and timed before any run."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loguru import logger

from yolox_attn.console import count
from yolox_attn.core.describe import describe_versions, now
from yolox_attn.core.sources import user_sources
from yolox_attn.device import pick_device, precision_dtype
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.exp.image_size import size_overrides
from yolox_attn.machine import expanded, free_memory, usable_cores
from yolox_attn.names import JUDGING_SPLITS
from yolox_attn.runs import file_hash
from yolox_attn.runs.remarks import warmup_in_words
from yolox_attn.stats.bootstrap import csv_of_groups
from yolox_attn.stats.stages import Stages, check_looks, levels
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import EDITION, MIN_SEEDS
from yolox_attn.study.estimate import detectable, noise_prior
from yolox_attn.study.plan import Plan, PlannedVariant, Training, refuse_planned, write_plan
from yolox_attn.study.probe import Probe, probe
from yolox_attn.study.slots import runs_that_fit
from yolox_attn.study.sources import check_data
from yolox_attn.study.variants import (
    BuiltVariant,
    build_exp,
    build_variant,
    check_variants,
    planned_variants,
)

# A study sets these itself: they are what its runs differ in.
RESERVED_OVERRIDES = {"attention", "attention_options", "seed", "output_dir", "exp_name"}
LARGEST_SEED = 2**63 - 1
TimeVariant = Callable[[PlannedVariant, Training, str, str, int], Probe | str]


@dataclass(frozen=True)
class PlanRequest:
    """What the command line asks for; words as in `planned_variants`, paths as they were given.

    Args:
        looks: numbers of seeds at which a study in stages is judged; empty: once, with all.
        noise: numbers or folders of studies, as `noise_prior` takes them.
        device: where the variants are timed.
        timed: whether they are.
        size: of the images, set as overrides (`size_overrides`).
        command: what was typed.
    """

    baseline: str
    training: Training
    variants: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    split: str = "val"
    terms: Terms = field(default_factory=Terms)
    groups: str | None = None
    looks: tuple[int, ...] = ()
    noise: tuple[str, ...] = ()
    device: str = "auto"
    timed: bool = True
    size: int | None = None
    command: str = ""


@dataclass(frozen=True)
class PlannedStudy:
    """A plan, what its variants really are, and what its user should know.

    Args:
        images: of the split that judges; groups: how many they form, None for single images.
        remarks: a sentence each.
        paired_sd: the noise prior, AP points; None where it is unknown.
        probes: variant -> what was timed, or why nothing was; empty where nothing was to be.
        slowdown: number of runs at a time -> how many times as long a step takes then, None where
            a run failed.
    """

    plan: Plan
    variants: tuple[BuiltVariant, ...]
    images: int
    groups: int | None
    remarks: tuple[str, ...]
    paired_sd: float | None = None
    probes: Mapping[str, Probe | str] = field(default_factory=dict)
    slowdown: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def timed(self) -> dict[str, Probe]:
        """The variants that could be timed."""
        return {name: each for name, each in self.probes.items() if isinstance(each, Probe)}


def plan_study(
    folder: Path,
    request: PlanRequest,
    progress: Callable[[str], None],
    *,
    time_variant: TimeVariant = probe,
) -> PlannedStudy:
    """Check, build and time everything, and write plan.json into `folder`.

    Raises:
        InputError: the folder cannot take a plan, or the first thing that cannot work.
    """
    refuse_planned(folder)
    _check_request(request)
    sd = noise_prior(request.noise) if request.noise else None
    device = pick_device(request.device)
    if request.timed:
        precision_dtype(request.training.precision, device)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # not on Windows
    study = replace(_make_plan(request), paired_sd=sd)
    if request.timed:
        study = _time_variants(study, request.device, progress, time_variant)
        if load > usable_cores():
            busy = f"the machine was busy (load {load:.1f}): alone the runs take less time"
            study = replace(study, remarks=(*study.remarks, busy))
    plan = replace(study.plan, expected=_estimates(study), command=request.command)
    write_plan(folder, plan)
    return replace(study, plan=plan)


def _check_request(request: PlanRequest) -> None:
    """Refuse what needs neither data nor model to be seen as wrong."""
    if request.split not in JUDGING_SPLITS:
        raise InputError(f"--split {request.split}: it is {' or '.join(JUDGING_SPLITS)}")
    _check_seeds(request.seeds)
    if request.looks:
        check_looks(request.looks)
    training = request.training
    for key in ("batch_size", "accumulate", "threads"):
        if getattr(training, key) < 1:
            flag = key.replace("_", "-")
            raise InputError(f"--{flag} {getattr(training, key)}: at least 1")
    for key in training.overrides[0::2]:
        if key in RESERVED_OVERRIDES:
            raise InputError(f"override {key}: a study sets it by itself, for each of its runs")
    if training.checkpoint is not None and not expanded(training.checkpoint).is_file():
        raise InputError(f"no checkpoint {training.checkpoint}")


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds:
        raise InputError("--seeds: at least 1")
    if wrong := [seed for seed in seeds if not 0 <= seed <= LARGEST_SEED]:
        raise InputError(f"--seeds {wrong[0]}: a seed is from 0 to 2**63 - 1")
    if twice := [seed for seed, times in Counter(seeds).items() if times > 1]:
        raise InputError(f"--seeds: {twice[0]} is given twice; a seed makes one run")


def _make_plan(request: PlanRequest) -> PlannedStudy:
    """Build every variant and look at the data; nothing is timed yet.

    Raises:
        InputError: the first thing that would keep the runs or the verdict from working.
    """
    training = _with_absolute_paths(request.training)
    variants = planned_variants(request.baseline, request.variants, request.controls)
    if request.size is not None:
        base, given = variants[0], training.overrides
        exp = load_exp(base.exp_file, base.exp_name)
        sized = size_overrides(exp, request.size, given[0::2])
        training = replace(training, overrides=(*sized, *given))
    with _quiet():
        built = [build_variant(variant, training) for variant in variants]
        remarks = check_variants(built)
        exp = build_exp(variants[0], training)
        if exp.patience > 0:  # whatever the split: the report judges no run that was cut short
            raise InputError(
                f"patience {exp.patience}: a run that its validation split ends is not judged, "
                "however well it began; set patience 0"
            )
        data = check_data(
            exp, batch_size=training.batch_size, split=request.split, groups=request.groups
        )
    listed = csv_of_groups(data.groups) if data.groups else None
    plan = Plan(
        variants=tuple(replace(v, role=b.role) for v, b in zip(variants, built, strict=True)),
        seeds=request.seeds,
        training=training,
        split=request.split,
        truth=str(data.truth),
        truth_sha256=file_hash(data.truth),
        terms=request.terms,
        groups=data.groups,
        created=now(),
        groups_sha256=file_hash(listed) if listed else None,
        data_sha256=data.hashes,
        sources=user_sources(),
        versions=describe_versions(),
        edition=EDITION,
        stages=_stages(request, sum(each.role == "variant" for each in built)),
    )
    remarks += [*data.remarks, *_remarks(plan, built)]
    return PlannedStudy(plan, tuple(built), data.images, data.group_count, tuple(remarks))


def _stages(request: PlanRequest, family: int) -> Stages | None:
    """Return the looks and their levels; None for a study of one look."""
    if not request.looks:
        return None
    if not family:
        raise InputError("--looks: controls are no blocks to decide on; give --variants")
    return Stages(request.looks, levels(request.looks, request.terms.alpha, family))


def _with_absolute_paths(training: Training) -> Training:
    """Return `training` with absolute paths, and the checkpoint's hash."""
    data, checkpoint = (
        None if path is None else str(expanded(path).resolve())
        for path in (training.data, training.checkpoint)
    )
    words = list(training.overrides)
    for place, key in enumerate(words[:-1:2]):
        if key == "data_dir":
            words[2 * place + 1] = str(expanded(words[2 * place + 1]).resolve())
    return replace(
        training,
        overrides=tuple(words),
        data=data,
        checkpoint=checkpoint,
        checkpoint_sha256=None if checkpoint is None else file_hash(Path(checkpoint)),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the library log nothing: what matters is said once, by the plan, not for each model."""
    logger.disable("yolox_attn")
    try:
        yield
    finally:
        logger.enable("yolox_attn")


def _remarks(plan: Plan, built: Sequence[BuiltVariant]) -> list[str]:
    remarks = []
    if remark := warmup_in_words(built[0].config):
        remarks.append(remark)
    if len(plan.seeds) < MIN_SEEDS:
        seeds = count(len(plan.seeds), "seed")
        remarks.append(f"{seeds}: there will be no verdict; that needs {MIN_SEEDS} or more")
    starts = {each.config["attention_init"] for each in built if each.attention}
    if plan.training.checkpoint is not None and "published" in starts:
        remarks.append(
            "fresh blocks change what the pretrained neck sees from the first step; with the "
            "override attention_init identity every variant starts where the checkpoint was"
        )
    return remarks


def _time_variants(
    study: PlannedStudy, device: str, progress: Callable[[str], None], time_variant: TimeVariant
) -> PlannedStudy:
    plan, probes = study.plan, {}
    for number, variant in enumerate(plan.variants, start=1):
        progress(f"timing {variant.name} ({number} of {len(plan.variants)}) ...")
        probes[variant.name] = time_variant(variant, plan.training, plan.split, device, 1)
    study = replace(study, probes=probes)
    return replace(study, slowdown=_time_side_by_side(study, device, progress, time_variant))


def _time_side_by_side(
    study: PlannedStudy, device: str, progress: Callable[[str], None], time_variant: TimeVariant
) -> dict[str, float | None]:
    """Return how many times as long a step takes with 2, 4 ... runs of the baseline at a time.

    On a CPU alone, up to as many as cores and memory take, and no further than more gets done. None
    stands for a number at which a run failed: that is no fault of the variant.
    """
    training, baseline = study.plan.training, study.plan.variants[0]
    alone = study.timed.get(baseline.name)
    if alone is None or pick_device(device).type != "cpu":
        return {}
    needed = max((each.memory for each in study.timed.values() if each.memory), default=None)
    most = runs_that_fit(training.threads, needed, usable_cores(), free_memory())
    slower: dict[str, float | None] = {}
    done = 1.0
    for many in sorted({most, *(2**power for power in range(1, most.bit_length()))} - {1}):
        progress(f"timing {baseline.name}, {many} at a time ...")
        found = time_variant(baseline, training, study.plan.split, device, many)
        if isinstance(found, str):
            slower[str(many)] = None
            break
        times = round(max(found.step / alone.step, 1.0), 3)
        slower[str(many)] = times
        if many / times < done:
            break
        done = many / times
    return slower


def _estimates(study: PlannedStudy) -> dict[str, Any]:
    """Return what the plan file keeps of the estimates: seconds, bytes and AP points."""
    plan, sd, timed = study.plan, study.paired_sd, study.timed
    seconds = {name: round(each.seconds, 1) for name, each in timed.items()}
    seeds, effect = len(plan.seeds), None
    if sd is not None and seeds > 1:
        effect = detectable(sd, seeds, plan.family_size, plan.terms)
    return {
        "runs": seeds * len(plan.variants),
        "seconds_of_a_run": seconds,
        "seconds": round(seeds * sum(seconds.values()), 1) if seconds else None,
        "slowdown": dict(study.slowdown),
        "memory": max((each.memory for each in timed.values() if each.memory), default=None),
        "device": next((each.device for each in timed.values()), None),
        "paired_sd": sd,
        "detectable": effect,
    }
