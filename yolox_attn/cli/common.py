"""What several commands share: flags, and what is refused before torch and YOLOX are imported."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from yolox_attn.commands.recipes import RECIPES
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded, set_wait_policy
from yolox_attn.names import LOGGERS
from yolox_attn.requirements import check_torchvision
from yolox_attn.stats.terms import Terms

SIZE_HELP = "input, test and random sizes together, N x N: a multiple of 32"


def work_of(command: str) -> ModuleType:
    """Import what does the work of a command: seconds, so the words are checked before.

    Raises:
        InputError: torchvision does not fit torch.
    """
    set_wait_policy()
    check_torchvision()
    return import_module(f"yolox_attn.commands.{command}")


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line in which flags and `key value` pairs stand in any order."""
    args = parser.parse_intermixed_args(argv)
    args.opts = [word for word in args.opts if word != "--"]  # some Pythons leave it in
    return args


def check_files(args: argparse.Namespace, ckpt: str = "no checkpoint") -> None:
    """Refuse files that the usual flags name and that are not there; `ckpt` says what -c can be.

    Raises:
        InputError: which; or --fp16 and --bf16 stand together.
    """
    if getattr(args, "fp16", False) and args.bf16:
        raise InputError("--fp16 and --bf16 together: choose one")
    for flag, fault in (("exp_file", "no Exp file"), ("data", "no data folder"), ("ckpt", ckpt)):
        word = getattr(args, flag, None)
        # A run that goes on does not need the weights any more that it once began with.
        needless = flag == "ckpt" and any(
            getattr(args, each, False) for each in ("resume", "help_exp")
        )
        if word is None or needless:
            continue
        if not (expanded(word) if flag == "data" else Path(word)).exists():
            raise InputError(f"{fault} {word}")


def check_experiment(args: argparse.Namespace) -> None:
    """Refuse a command line that names no experiment.

    Raises:
        InputError: there is neither -f nor -n.
    """
    if args.exp_file is None and args.name is None:
        raise InputError("which experiment? give -f exps/yolox_s_cam.py or -n yolox-s-cam")


def check_run(args: argparse.Namespace) -> None:
    """Refuse a command line that names no run: by its folder, by -c, by -f or -n.

    Raises:
        InputError: it names none, or a folder that is not there.
    """
    if args.exp_file is not None or args.name is not None:
        return
    if len(args.opts) % 2 == 0 and args.ckpt is None:
        raise InputError("which run? give RUN_FOLDER, or -f exps/yolox_s_cam.py, or -n yolox-s-cam")
    if len(args.opts) % 2 and not Path(args.opts[0]).is_dir():
        raise InputError(f"{args.opts[0]}: no such run folder")


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


def add_process_options(parser: argparse.ArgumentParser) -> None:
    """Add -d and YOLOX's flags of several machines."""
    add = parser.add_argument
    add("-d", "--devices", type=int, metavar="N", help="processes on this machine, default 1")
    add("--num_machines", type=int, default=1, metavar="M", help="machines, each with -d N")
    add("--machine_rank", type=int, default=0, metavar="R", help="which of them this is, from 0")
    add("--dist-url", metavar="tcp://HOST:PORT", help="where machine 0 listens")
    add("--dist-backend", choices=("nccl", "gloo"), help="default: nccl on CUDA, gloo elsewhere")


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
    parser.add_argument("-l", "--logger", default="tensorboard", choices=LOGGERS, help=shows)


def add_precision_options(parser: argparse.ArgumentParser) -> None:
    """Add --fp16 and --bf16."""
    add = parser.add_argument
    add("--fp16", action="store_true", help="mixed precision in float16 (CUDA only)")
    add("--bf16", action="store_true", help="mixed precision in bfloat16 (CPU or CUDA)")


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
