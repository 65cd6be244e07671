"""What the words behind --baseline, --variants and --controls stand for."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from yolox_attn.blocks import ATTENTIONS, CONTROLS
from yolox_attn.core.checkpoint import file_hash
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.study.plan import PlannedVariant

BLOCKS = tuple(name for name in ATTENTIONS if name != "none")
# Of a variant: it names a folder, and not that of the runs or of the study; and words in a command.
NAME = re.compile(r"(?!\.{1,2}$)[\w.+-]+")


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
            raise InputError(f"{name} stands {count} times in the study; give each variant once")
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
