"""What several commands share: the experiment that the words ask for, terms, the process's log."""

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from loguru import logger

from yolox_attn import device as devices
from yolox_attn.commands.recipes import recipe_overrides
from yolox_attn.console import in_lines
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.exp.checks import LIKE_A_FILE, like_a_file
from yolox_attn.exp.image_size import SIZE_SETTINGS, size_overrides
from yolox_attn.exp.loader import DATA_SETTINGS
from yolox_attn.stats.terms import Terms

if TYPE_CHECKING:
    from loguru import Record

LOG_LINE = "<green>{time:HH:mm:ss}</green> | <level>{level: <7}</level> | {message}"
TERMS = ("sesoi", "alpha", "replicates")
SETTINGS_OF = {  # flag -> the settings that it sets
    "data": DATA_SETTINGS,
    "size": SIZE_SETTINGS,
    "tsize": ("test_size",),
    "conf": ("test_conf",),
    "nms": ("nmsthre",),
    "seed": ("seed",),
}


def prepare_process() -> None:
    """Set threads, log format and warnings of this process."""
    devices.fix_threads()
    cv2.setNumThreads(0)
    logger.remove()
    logger.configure(patcher=_in_lines)  # for the terminal and for the run's log
    # Of several processes only the first says how it goes.
    level = "INFO" if os.environ.get("RANK", "0") == "0" else "WARNING"
    logger.add(sys.stderr, format=LOG_LINE, level=level)
    # YOLOX's head still asks torch.cuda.amp for autocast, at every label assignment.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"yolox\..*")
    # And torch warns of what YOLOX (TypedStorage) and its way of training (buffers) need.
    warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
    warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)


def _in_lines(record: "Record") -> None:
    record["message"] = in_lines(record["message"])


def apply_recipe(args: argparse.Namespace, *, pretrained: bool | None) -> str | None:
    """Put what --recipe sets before the overrides, and return a line that says what it is.

    Raises:
        InputError: as `recipe_overrides`.
    """
    if args.recipe is None:
        return None
    words = recipe_overrides(args.recipe, sorted(given_settings(args)), pretrained=pretrained)
    args.opts = [*words, *args.opts]
    pairs = zip(words[0::2], words[1::2], strict=True)
    return f"recipe {args.recipe}: {', '.join(map(' '.join, pairs)) or 'all is set otherwise'}"


def build_exp(args: argparse.Namespace) -> AttentionExp:
    """Return the experiment the arguments ask for; fills in `args.experiment_name`.

    Raises:
        InputError: an argument cannot be honoured.
    """
    exp = load_exp(args.exp_file, args.name)
    name_run(exp, args)
    configure(exp, args)
    return exp


def name_run(exp: AttentionExp, args: argparse.Namespace) -> Path:
    """Fill in `args.experiment_name`, and return the folder of the run.

    Raises:
        InputError: a folder cannot have such a name.
    """
    words = [str(word) for word in args.opts]
    given = dict(zip(words[0::2], words[1::2], strict=False))
    flag = "-expn" if args.experiment_name is not None else "exp_name"
    if args.experiment_name is None:
        name = given.get("exp_name", exp.exp_name)
        args.experiment_name = name if args.seed is None else f"{name}/seed{args.seed}"
    parts = Path(args.experiment_name).parts  # none of "" and "."
    if not parts or not all(map(like_a_file, parts)):
        raise InputError(f"{flag} {args.experiment_name}: each folder: {LIKE_A_FILE}")
    return Path(given.get("output_dir", str(exp.output_dir)), str(args.experiment_name))


def configure(exp: AttentionExp, args: argparse.Namespace) -> None:
    """Set what the arguments ask for: overrides win over --data and the Exp file.

    Raises:
        InputError: an argument cannot be honoured.
    """
    if args.data is not None:
        use_data(exp, args.data)
    if args.size is not None:
        apply_overrides(exp, size_overrides(exp, args.size, args.opts[0::2]))
    apply_overrides(exp, args.opts)
    if args.seed is not None:
        if "seed" in args.opts[0::2] and exp.seed != args.seed:
            raise InputError(f"--seed {args.seed} and seed {exp.seed}: choose one")
        exp.seed = args.seed
    if exp.seed is not None and exp.seed < 0:
        raise InputError(f"--seed {exp.seed}: at least 0")
    exp.check()


def given_settings(args: argparse.Namespace) -> set[str]:
    """Return the settings that the arguments name, by whatever flag."""
    given = set(args.opts[0::2])
    for flag, names in SETTINGS_OF.items():
        if getattr(args, flag, None) is not None:
            given |= {*names}
    return given


def precision_of(args: argparse.Namespace) -> str:
    """Return "fp32", "fp16" or "bf16"."""
    return "fp16" if args.fp16 else "bf16" if args.bf16 else "fp32"


def terms_of(args: argparse.Namespace) -> Terms:
    """Return the terms that are given, the others as usual.

    Raises:
        InputError: one is outside its range.
    """
    if args.alpha is not None and not 0 < args.alpha < 0.5:
        raise InputError(f"--alpha {args.alpha:g}: must be above 0 and below 0.5, as 0.05")
    given = {name: getattr(args, name) for name in TERMS if getattr(args, name) is not None}
    return Terms(**given)
