"""From what a user asks for to a plan: everything is checked before the first run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.core.record import describe_versions, now
from yolox_attn.errors import InputError
from yolox_attn.study.asked import Request, check_request, with_whole_paths
from yolox_attn.study.entries import planned_variants
from yolox_attn.study.material import check_material
from yolox_attn.study.members import Member, build_exp, build_member, check_members
from yolox_attn.study.plan import Plan
from yolox_attn.study.sources import user_sources


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
    training = with_whole_paths(request.training)
    variants = planned_variants(request.baseline, request.variants, request.controls)
    with _quiet():
        members = [build_member(variant, training) for variant in variants]
        remarks = check_members(members)
        exp = build_exp(variants[0], training)
        if exp.patience > 0:  # whatever the split: the report judges no run that was cut short
            raise InputError(
                f"patience {exp.patience}: a run that its validation split ends is not judged, "
                "however well it began; set patience 0"
            )
        material = check_material(
            exp, batch_size=training.batch_size, split=request.split, groups=request.groups
        )
    roles = [member.role for member in members]
    plan = Plan(
        variants=tuple(replace(v, role=r) for v, r in zip(variants, roles, strict=True)),
        seeds=request.seeds,
        training=training,
        split=request.split,
        truth=str(material.truth),
        truth_sha256=file_hash(material.truth),
        terms=request.terms,
        groups=material.groups,
        created=now(),
        groups_sha256=_groups_hash(material.groups),
        data_sha256={str(each): file_hash(each) for each in material.annotations},
        sources=user_sources(),
        versions=describe_versions(),
    )
    remarks += [*material.remarks, *_remarks(plan, members)]
    return Made(plan, tuple(members), material.images, material.units, tuple(remarks))


def _groups_hash(groups: str | None) -> str | None:
    if groups is None or not groups.endswith(".csv"):  # none, or a key in the annotations
        return None
    return file_hash(Path(groups))


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
