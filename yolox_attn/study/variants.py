"""The variants of a study: from words of the command to detectors compared with the baseline."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.blocks import ATTENTIONS, CONTROLS, Plain
from yolox_attn.core.describe import describe_attention, describe_config
from yolox_attn.core.schedule import check_schedule
from yolox_attn.core.weights import load_weights
from yolox_attn.cost import parameters
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.machine import expanded
from yolox_attn.runs import file_hash
from yolox_attn.runs.protocol import COSMETIC, differences, listed, settings
from yolox_attn.study.plan import PlannedVariant, Training

BLOCKS = tuple(sorted(name for name in ATTENTIONS if name != "none"))
# Of a variant: it names a folder, and not that of the runs or of the study; and words in a command.
NAME = re.compile(r"(?!\.{1,2}$)[\w.+-]+")


@dataclass(frozen=True)
class BuiltVariant:
    """A variant as it is built.

    Args:
        name: as planned; role: by what was built, not by what was asked for.
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
    planned = [first, *(_control(word, first) for word in controls)]
    planned += [_variant(word, first) for word in variants]
    for name, count in Counter(each.name for each in planned).items():
        if count > 1:
            raise InputError(f"{name} is given {count} times; give each variant once")
    return tuple(planned)


def _experiment(word: str, role: str) -> PlannedVariant:
    path = expanded(word)
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
        f"{', '.join(BLOCKS)} (overrides go last, behind an option as -b or behind --)"
    )


def _control(word: str, baseline: PlannedVariant) -> PlannedVariant:
    kind, _, like = word.partition(":")
    if kind == "placebo" and not like:
        return _with_block(baseline, "control", kind, {})
    if kind == "plain" and like in BLOCKS:
        return _with_block(baseline, "control", kind, {"like": like})
    raise InputError(
        f"--controls {word}: it is placebo, or plain:BLOCK; blocks: {', '.join(BLOCKS)}"
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
        own = [name for name, code in variant.methods.items() if code != baseline.methods.get(name)]
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
        remarks += _check_name(variant)
    return remarks


def _refuse_other_settings(variant: BuiltVariant, baseline: BuiltVariant) -> None:
    ours, theirs = (_without_attention(each.config) for each in (variant, baseline))
    if differing := listed(differences(ours, theirs), "{key} {first} (there {second})"):
        raise InputError(
            f"{variant.name} differs from {baseline.name} in more than attention: "
            f"{', '.join(differing)}"
        )


def _without_attention(config: Mapping[str, Any]) -> dict[str, Any]:
    compared = settings(config, COSMETIC)
    return {key: value for key, value in compared.items() if not key.startswith("attention")}


def _identity(variant: BuiltVariant) -> str:
    """Return what two variants that are one experiment have in common."""
    init = variant.config["attention_init"] if variant.attention else None
    return repr((variant.attention, init))


def _methods(kind: type) -> dict[str, object]:
    """Return where each public method is written: a file that is loaded twice stays one file."""
    places: dict[str, object] = {}
    for name in dir(kind):
        code = getattr(getattr(kind, name), "__code__", None)
        if code is not None and not name.startswith("_"):
            places[name] = (code.co_filename, code.co_firstlineno)
    return places


def _check_name(variant: BuiltVariant) -> list[str]:
    """Say that a name ends with a block which is not the one inside."""
    block = variant.name.rsplit("_", 1)[-1]
    if block not in BLOCKS or block in variant.blocks or variant.has_own_blocks:
        return []
    if variant.wanted is not None:  # a control, named after the block whose size it has
        return []
    return [f"{variant.name} is named after {block}, and holds {' and '.join(variant.blocks)}"]
