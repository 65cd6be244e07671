"""From what a user asks for to plan.json: everything checked, built and timed before any run."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loguru import logger

from yolox_attn.core.describe import describe_versions, now
from yolox_attn.device import pick_device, precision_dtype
from yolox_attn.errors import InputError
from yolox_attn.runs import file_hash, read_json
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.estimate import Probe, detectable, probe
from yolox_attn.study.plan import SPLITS, Plan, Training, refuse_planned, write_plan
from yolox_attn.study.sources import check_data, planned_variants, user_sources
from yolox_attn.study.variants import BuiltVariant, build_exp, build_variant, check_variants

# A study sets these itself: they are what its runs differ in.
ITS_OWN = {"attention", "attention_options", "seed", "output_dir", "exp_name"}
LARGEST_SEED = 2**63 - 1
REPORTS = ("report/comparison.json", "comparison.json")  # below a study, or in the report's folder


@dataclass(frozen=True)
class Request:
    """What the command line asks for; words as in `planned_variants`, paths as they were given.

    Args:
        noise: a number or the folder of a study, as `noise_prior` takes it.
        command: what was typed.
        device: where the variants are timed; None leaves that out.
    """

    baseline: str
    training: Training
    variants: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    split: str = "val"
    terms: Terms = field(default_factory=Terms)
    groups: str | None = None
    noise: str | None = None
    command: str = ""
    device: str | None = None


@dataclass(frozen=True)
class PlannedStudy:
    """A plan, what its variants really are, and what its user should know.

    Args:
        images: of the split that judges; groups: how many they form, None for single images.
        remarks: a sentence each.
        probes: variant -> what was timed, or why nothing was; empty where none was asked for.
        paired_sd: the noise prior, AP points; None where nobody knows it.
    """

    plan: Plan
    variants: tuple[BuiltVariant, ...]
    images: int
    groups: int | None
    remarks: tuple[str, ...]
    probes: Mapping[str, Probe | str] = field(default_factory=dict)
    paired_sd: float | None = None

    @property
    def timed(self) -> dict[str, Probe]:
        """The variants that could be timed."""
        return {name: each for name, each in self.probes.items() if isinstance(each, Probe)}


def plan_study(folder: Path, request: Request, progress: Callable[[str], None]) -> PlannedStudy:
    """Check, build and time everything, and write plan.json into `folder`.

    Raises:
        InputError: the folder cannot take a plan, or the first thing that cannot work.
    """
    refuse_planned(folder)
    check_request(request)
    sd = None if request.noise is None else noise_prior(request.noise)
    if request.device is not None:
        precision_dtype(request.training.precision, pick_device(request.device))
    study = make_plan(request)
    probes: dict[str, Probe | str] = {}
    if request.device is not None:
        for number, variant in enumerate(study.plan.variants, start=1):
            progress(f"timing {variant.name} ({number} of {len(study.plan.variants)}) ...")
            probes[variant.name] = probe(
                variant, study.plan.training, study.plan.split, request.device
            )
    study = replace(study, probes=probes, paired_sd=sd)
    plan = replace(study.plan, expected=_expected(study), command=request.command)
    write_plan(folder, plan)
    return replace(study, plan=plan)


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


def make_plan(request: Request) -> PlannedStudy:
    """Check everything that the runs and the verdict will need, and return the plan.

    Raises:
        InputError: the first thing that cannot work.
    """
    check_request(request)
    training = with_absolute_paths(request.training)
    variants = planned_variants(request.baseline, request.variants, request.controls)
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
    listed = data.groups is not None and data.groups.endswith(".csv")  # else a key, or none
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
        groups_sha256=file_hash(Path(str(data.groups))) if listed else None,
        data_sha256={str(each): file_hash(each) for each in data.annotations},
        sources=user_sources(),
        versions=describe_versions(),
    )
    remarks += [*data.remarks, *_remarks(plan, built)]
    return PlannedStudy(plan, tuple(built), data.images, data.units, tuple(remarks))


def with_absolute_paths(training: Training) -> Training:
    """Return `training` with absolute paths, and the checkpoint's hash."""
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


def noise_prior(word: str) -> float:
    """Return the standard deviation of paired differences, AP points, that `word` stands for.

    Args:
        word: that number itself; or the folder of a study or of its report, of whose baseline runs
            sqrt(2) s_seed is taken: what two independent runs differ by.

    Raises:
        InputError: neither, or a report without the noise of seeds.
    """
    try:
        sd = float(word)
    except ValueError:
        return _noise_of_report(Path(word).expanduser())
    if not (math.isfinite(sd) and sd > 0):
        raise InputError(f"--noise {word}: a standard deviation in AP points, above 0")
    return sd


def _noise_of_report(folder: Path) -> float:
    found = [folder / place for place in REPORTS if (folder / place).is_file()]
    if not found:
        raise InputError(
            f"--noise {folder}: neither a number nor a study that has a report; write one by "
            f"`study report {folder}`"
        )
    noise = read_json(found[0], dict[str, Any], "a comparison").get("seed_noise")
    sd = noise.get("sd") if isinstance(noise, dict) else None
    if not (isinstance(sd, float | int) and math.isfinite(sd) and sd > 0):
        raise InputError(
            f"--noise {folder}: {found[0].name} has no noise of seeds; it takes 2 runs"
        )
    return math.sqrt(2) * 100 * sd


def _check_seeds(seeds: Sequence[int]) -> None:
    if not seeds:
        raise InputError("--seeds: at least 1")
    if wrong := [seed for seed in seeds if not 0 <= seed <= LARGEST_SEED]:
        raise InputError(f"--seeds {wrong[0]}: a seed is from 0 to 2**63 - 1")
    if twice := [seed for seed, count in Counter(seeds).items() if count > 1]:
        raise InputError(f"--seeds: {twice[0]} is given twice; a seed makes one run")


def _expected(study: PlannedStudy) -> dict[str, Any]:
    """Return what the plan file keeps of the estimates: seconds, bytes and AP points."""
    plan, sd, probes = study.plan, study.paired_sd, study.timed.values()
    seconds = {name: round(found.seconds, 1) for name, found in study.timed.items()}
    seeds, effect = len(plan.seeds), None
    if sd is not None and seeds > 1:
        effect = detectable(sd, seeds, plan.family_size, plan.terms)
    return {
        "runs": seeds * len(plan.variants),
        "seconds_of_a_run": seconds,
        "seconds": round(seeds * sum(seconds.values()), 1) if seconds else None,
        "memory": max((each.memory for each in probes if each.memory), default=None),
        "device": next((each.device for each in probes), None),
        "paired_sd": sd,
        "detectable": effect,
    }


def _remarks(plan: Plan, built: Sequence[BuiltVariant]) -> list[str]:
    remarks = []
    if len(plan.seeds) < 3:
        few = "1 seed" if len(plan.seeds) == 1 else f"{len(plan.seeds)} seeds"
        remarks.append(f"{few}: there will be no verdict; that needs 3 or more")
    fresh = [each for each in built if each.attention]
    published = any(each.config["attention_init"] == "published" for each in fresh)
    if plan.training.checkpoint is not None and published:
        remarks.append(
            "fresh blocks change what the pretrained neck sees from the first step; with the "
            "override attention_init identity every variant starts where the checkpoint was"
        )
    return remarks


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the library log nothing: what matters is said once, by the plan, not for each model."""
    logger.disable("yolox_attn")
    try:
        yield
    finally:
        logger.enable("yolox_attn")
