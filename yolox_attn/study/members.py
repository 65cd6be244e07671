"""What each variant of a study really is: built once, and held against the baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.blocks import CONTROLS, Plain
from yolox_attn.core.checkpoint import load_weights
from yolox_attn.core.plan import check_schedule
from yolox_attn.core.record import describe_attention, describe_config
from yolox_attn.cost import parameters
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.runs import COSMETIC
from yolox_attn.study.entries import BLOCKS
from yolox_attn.study.plan import PlannedVariant, Training


@dataclass(frozen=True)
class Member:
    """A variant as it is built.

    Args:
        name, role: as planned.
        config: every setting, as a run's record has it.
        attention: level -> block, options, and shapes of parameters; empty for none.
        parameters: of the whole detector; own: of them, those of attention.
        wanted: parameters that a plain control should have, None of anything else.
        methods: public methods of the Exp, name -> where they are written.
    """

    name: str
    role: str
    config: dict[str, Any]
    attention: dict[str, Any]
    parameters: int
    own: int
    wanted: int | None
    methods: dict[str, object]

    @property
    def blocks(self) -> list[str]:
        """The blocks in it, each once, in the order of the levels."""
        return list(dict.fromkeys(placed["block"] for placed in self.attention.values()))

    @property
    def has_own_blocks(self) -> bool:
        """Whether there is a block in it that is the user's, and not of the zoo."""
        return any(":" in block for block in self.blocks)


def build_exp(variant: PlannedVariant, training: Training) -> AttentionExp:
    """Return the variant's experiment as the train command would build it, but for seed and folder.

    Raises:
        InputError: anything in it cannot work.
    """
    exp = load_exp(variant.exp_file, variant.exp_name)
    if training.data is not None:
        use_data(exp, training.data)
    apply_overrides(exp, (*variant.overrides, *training.overrides))
    exp.check()
    check_schedule(exp.max_epoch, exp.warmup_epochs, exp.no_aug_epochs)
    return exp


def build_member(variant: PlannedVariant, training: Training) -> Member:
    """Build the variant's detector, load the checkpoint into it, and say what it is.

    Raises:
        InputError: it cannot be built, or the checkpoint does not fit.
    """
    exp = build_exp(variant, training)
    model = exp.get_model()
    if training.checkpoint is not None:
        load_weights(model, Path(training.checkpoint), attention_init=exp.attention_init)
    attention = describe_attention(exp, model)
    shapes = [shape for placed in attention.values() for shape in placed["parameters"].values()]
    plain = [each.parameters_wanted for each in model.modules() if isinstance(each, Plain)]
    role = variant.role
    if role != "baseline" and attention:
        blocks = {placed["block"] for placed in attention.values()}
        role = "control" if blocks <= CONTROLS.keys() else "variant"
    return Member(
        name=variant.name,
        role=role,
        config=describe_config(exp),
        attention=attention,
        parameters=parameters(model),
        own=sum(map(math.prod, shapes)),
        wanted=sum(plain) if plain else None,
        methods=_methods(type(exp)),
    )


def check_members(members: Sequence[Member]) -> list[str]:
    """Refuse what is no fair comparison; return what a user should know, a sentence each.

    Args:
        members: the baseline first.

    Raises:
        InputError: a variant differs from the baseline in more than attention, or in nothing, or
            two variants are one experiment.
    """
    baseline = members[0]
    seen = {_identity(baseline): baseline.name}
    remarks = []
    for member in members[1:]:
        _refuse_other_settings(member, baseline)
        own = [name for name in member.methods if _differs(name, member, baseline)]
        if own:
            remarks.append(
                f"{member.name} has its own {', '.join(own)}: that it differs from "
                f"{baseline.name} in attention alone cannot be seen from its settings"
            )
        elif not member.has_own_blocks:  # two callables may share a name
            if twin := seen.get(_identity(member)):
                what = " and ".join(member.blocks) or "none"
                raise InputError(f"{member.name} is the same as {twin}: attention {what} in both")
            seen[_identity(member)] = member.name
        remarks += _misnamed(member)
    return remarks


def _refuse_other_settings(member: Member, baseline: Member) -> None:
    ours, theirs = (
        {
            k: v
            for k, v in each.config.items()
            if k not in COSMETIC and not k.startswith("attention")
        }
        for each in (member, baseline)
    )
    differing = [
        f"{key} {ours.get(key, 'absent')} (there {theirs.get(key, 'absent')})"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key, math.nan) != theirs.get(key, math.nan)
    ]
    if differing:
        raise InputError(
            f"{member.name} differs from {baseline.name} in more than attention: "
            f"{', '.join(differing)}"
        )


def _identity(member: Member) -> str:
    """Return what two members that are one experiment have in common."""
    init = member.config["attention_init"] if member.attention else None
    return repr((member.attention, init))


def _methods(kind: type) -> dict[str, object]:
    """Return where each public method is written: a file that is loaded twice stays one file."""
    found: dict[str, object] = {}
    for name in dir(kind):
        code = getattr(getattr(kind, name), "__code__", None)
        if code is not None and not name.startswith("_"):
            found[name] = (code.co_filename, code.co_firstlineno)
    return found


def _differs(name: str, member: Member, baseline: Member) -> bool:
    return member.methods[name] != baseline.methods.get(name)


def _misnamed(member: Member) -> list[str]:
    """Tell of a name that ends with a block which is not the one inside."""
    said = member.name.rsplit("_", 1)[-1]
    if said not in BLOCKS or said in member.blocks or member.has_own_blocks:
        return []
    if member.wanted is not None:  # a control, named after the block whose size it has
        return []
    return [f"{member.name} is named after {said}, and holds {' and '.join(member.blocks)}"]
