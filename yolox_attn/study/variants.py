"""What each variant of a study really is: built once, and compared with the baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.blocks import CONTROLS, Plain
from yolox_attn.core.checkpoint import load_weights
from yolox_attn.core.describe import describe_attention, describe_config
from yolox_attn.core.schedule import check_schedule
from yolox_attn.cost import parameters
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.runs.protocol import COSMETIC, differences, listed, settings
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.sources import BLOCKS


@dataclass(frozen=True)
class BuiltVariant:
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


def build_variant(variant: PlannedVariant, training: Training) -> BuiltVariant:
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
    return BuiltVariant(
        name=variant.name,
        role=role,
        config=describe_config(exp),
        attention=attention,
        parameters=parameters(model),
        own=sum(map(math.prod, shapes)),
        wanted=sum(plain) if plain else None,
        methods=_methods(type(exp)),
    )


def check_variants(variants: Sequence[BuiltVariant]) -> list[str]:
    """Refuse what is no fair comparison; return what a user should know, a sentence each.

    Args:
        variants: the baseline first.

    Raises:
        InputError: a variant differs from the baseline in more than attention, or in nothing, or
            two variants are one experiment.
    """
    baseline = variants[0]
    seen = {_identity(baseline): baseline.name}
    remarks = []
    for variant in variants[1:]:
        _refuse_other_settings(variant, baseline)
        own = [name for name in variant.methods if _differs(name, variant, baseline)]
        if own:
            remarks.append(
                f"{variant.name} has its own {', '.join(own)}: that it differs from "
                f"{baseline.name} in attention alone cannot be seen from its settings"
            )
        elif not variant.has_own_blocks:  # two callables may share a name
            if twin := seen.get(_identity(variant)):
                what = " and ".join(variant.blocks) or "none"
                raise InputError(f"{variant.name} is the same as {twin}: attention {what} in both")
            seen[_identity(variant)] = variant.name
        remarks += _misnamed(variant)
    return remarks


def _refuse_other_settings(variant: BuiltVariant, baseline: BuiltVariant) -> None:
    ours, theirs = (
        {
            key: value
            for key, value in settings(each.config, COSMETIC).items()
            if not key.startswith("attention")
        }
        for each in (variant, baseline)
    )
    if differing := listed(differences(ours, theirs), "{key} {first} (there {second})"):
        raise InputError(
            f"{variant.name} differs from {baseline.name} in more than attention: "
            f"{', '.join(differing)}"
        )


def _identity(variant: BuiltVariant) -> str:
    """Return what two variants that are one experiment have in common."""
    init = variant.config["attention_init"] if variant.attention else None
    return repr((variant.attention, init))


def _methods(kind: type) -> dict[str, object]:
    """Return where each public method is written: a file that is loaded twice stays one file."""
    found: dict[str, object] = {}
    for name in dir(kind):
        code = getattr(getattr(kind, name), "__code__", None)
        if code is not None and not name.startswith("_"):
            found[name] = (code.co_filename, code.co_firstlineno)
    return found


def _differs(name: str, variant: BuiltVariant, baseline: BuiltVariant) -> bool:
    return variant.methods[name] != baseline.methods.get(name)


def _misnamed(variant: BuiltVariant) -> list[str]:
    """Tell of a name that ends with a block which is not the one inside."""
    said = variant.name.rsplit("_", 1)[-1]
    if said not in BLOCKS or said in variant.blocks or variant.has_own_blocks:
        return []
    if variant.wanted is not None:  # a control, named after the block whose size it has
        return []
    return [f"{variant.name} is named after {said}, and holds {' and '.join(variant.blocks)}"]
