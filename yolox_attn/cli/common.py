"""What several commands share: flags for experiment, processes, terms and latency; their log."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from loguru import logger

from yolox_attn import device as devices
from yolox_attn.cli.processes import add_process_options
from yolox_attn.console import echo, in_lines
from yolox_attn.core.boards import KINDS
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.exp.checks import LIKE_A_FILE, like_a_file
from yolox_attn.exp.image_size import SIZE_SETTINGS, size_overrides
from yolox_attn.exp.loader import DATA_SETTINGS
from yolox_attn.exp.recipes import RECIPES, recipe_overrides
from yolox_attn.stats.verdict import Terms

if TYPE_CHECKING:
    from loguru import Record

LOG_LINE = "<green>{time:HH:mm:ss}</green> | <level>{level: <7}</level> | {message}"
TERMS = ("sesoi", "alpha", "replicates")
SIZE_HELP = "input, test and random sizes together, N x N: a multiple of 32"
SETTINGS_OF = {  # flag -> the settings that it sets
    "data": DATA_SETTINGS,
    "size": SIZE_SETTINGS,
    "tsize": ("test_size",),
    "conf": ("test_conf",),
    "nms": ("nmsthre",),
    "seed": ("seed",),
}


def progress(line: str) -> None:
    """Say on stderr how far it is, so that stdout holds the product alone."""
    echo(line, err=True)


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


def add_experiment_options(parser: argparse.ArgumentParser) -> None:
    """Add YOLOX's flags for an experiment, plus --data, --size, --device, --bf16, --seed."""
    add = parser.add_argument
    add("-f", "--exp_file", metavar="FILE", help="experiment file, as exps/yolox_s_cam.py")
    add("-n", "--name", metavar="NAME", help="experiment by name, as yolox-m-cam")
    add("-expn", "--experiment-name", metavar="NAME", help="run folder; default: the Exp's name")
    add("-b", "--batch-size", type=int, default=8, metavar="N", help="images a pass, default 8")
    add("-c", "--ckpt", metavar="FILE", help="checkpoint")
    add("--data", metavar="DIR", help="COCO-layout folder; classes and file names are read from it")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add_precision_options(parser)
    add("--seed", type=int, metavar="K", help="seed of the run; its folder becomes NAME/seedK")
    add("--size", type=int, metavar="N", help=SIZE_HELP)
    add_process_options(parser)
    add_overrides(parser, "override settings of the Exp; train --help-exp lists them")


def add_overrides(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add `key value` pairs, which may stand before flags as well as behind them."""
    parser.add_argument("opts", nargs="*", metavar="key value", help=meaning)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add --recipe."""
    recipes = "settings that go together; flags and `key value` win"
    parser.add_argument("--recipe", choices=RECIPES, help=recipes)


def add_logger(parser: argparse.ArgumentParser) -> None:
    """Add YOLOX's -l."""
    shows = "what shows the curves (default tensorboard); `wandb-project P` and such go with wandb"
    parser.add_argument("-l", "--logger", default="tensorboard", choices=KINDS, help=shows)


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


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line in which flags and `key value` pairs stand in any order."""
    args = parser.parse_intermixed_args(argv)
    args.opts = [word for word in args.opts if word != "--"]  # some Pythons leave it in
    return args


def build_exp(args: argparse.Namespace) -> AttentionExp:
    """Return the experiment the arguments ask for; fills in `args.experiment_name`.

    Raises:
        InputError: an argument cannot be honoured.
    """
    precision_of(args)
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


def add_precision_options(parser: argparse.ArgumentParser) -> None:
    """Add --fp16 and --bf16."""
    add = parser.add_argument
    add("--fp16", action="store_true", help="mixed precision in float16 (CUDA only)")
    add("--bf16", action="store_true", help="mixed precision in bfloat16 (CPU or CUDA)")


def precision_of(args: argparse.Namespace) -> str:
    """Return "fp32", "fp16" or "bf16".

    Raises:
        InputError: both flags are given.
    """
    if args.fp16 and args.bf16:
        raise InputError("--fp16 and --bf16 together: choose one")
    return "fp16" if args.fp16 else "bf16" if args.bf16 else "fp32"


def add_judging_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say by which terms is judged; each is None where it is not given."""
    add, usual = parser.add_argument, Terms()
    sesoi = f"smallest effect worth having, AP points (default {usual.sesoi:g})"
    add("--sesoi", type=float, metavar="AP", help=sesoi)
    alpha = f"share of false alarms (default {usual.alpha:g})"
    add("--alpha", type=float, metavar="P", help=alpha)
    replicates = f"resamples of the images (default {usual.replicates})"
    add("--replicates", type=int, metavar="N", help=replicates)
    groups = "images that belong together: a key of the image entries, or a csv (image, group)"
    add("--groups", metavar="KEY|FILE.csv", help=groups)


def terms_of(args: argparse.Namespace) -> Terms:
    """Return the terms that are given, the others as usual.

    Raises:
        InputError: one is outside its range.
    """
    if args.alpha is not None and not 0 < args.alpha < 0.5:
        raise InputError(f"--alpha {args.alpha:g}: must be above 0 and below 0.5, as 0.05")
    given = {name: getattr(args, name) for name in TERMS if getattr(args, name) is not None}
    return Terms(**given)


def add_latency_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags for timing the models of a comparison."""
    add = parser.add_argument
    add("--no-latency", dest="latency", action="store_false", help="do not time the models")
    add("--repeats", type=int, default=30, metavar="N", help="timed passes a model (default 30)")
    add("--device", default="auto", help="where to time: auto, cpu, cuda, cuda:N, mps")


def check_repeats(args: argparse.Namespace) -> None:
    """Refuse too few timed passes.

    Raises:
        InputError: fewer than two.
    """
    if args.repeats < 2:
        raise InputError(f"--repeats {args.repeats}: at least 2, a spread is taken of them")
