"""`train`: one experiment, one seed, one run folder."""

import argparse
import sys
import warnings
from importlib.util import find_spec

import cv2
from loguru import logger

from yolox_attn import device as devices
from yolox_attn.cli import report_errors
from yolox_attn.cli.options import add_experiment_options, build_exp, refuse_many_processes
from yolox_attn.errors import InputError
from yolox_attn.seed import seed_everything

LINE = "<green>{time:HH:mm:ss}</green> | <level>{level: <7}</level> | {message}"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: the host's flags under their names, and ours."""
    parser = argparse.ArgumentParser(
        "train", description="Train a YOLOX experiment with attention.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--resume", action="store_true", help="go on from the run's latest checkpoint, or -c")
    add("-e", "--start_epoch", type=int, metavar="N", help="with --resume: first epoch, from 1")
    add("--cache", action="store_true", help="keep the training images in memory")
    add("-o", "--occupy", action="store_true", help="reserve the CUDA device's memory first")
    add("-l", "--logger", default="tensorboard", choices=("tensorboard", "wandb"))
    add_experiment_options(parser)
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Train; returns the exit code."""
    args = make_parser().parse_args(argv)
    refuse_many_processes(args)
    if args.start_epoch is not None and not args.resume:
        raise InputError("-e needs --resume")
    if args.logger == "wandb" and find_spec("wandb") is None:
        raise InputError("-l wandb: wandb is not installed; pip install wandb")
    device = devices.pick_device(args.device)
    devices.precision_dtype("fp16" if args.fp16 else "fp32", device)
    exp = build_exp(args)
    prepare_process()
    if exp.seed is not None:
        seed_everything(exp.seed)
    exp.get_trainer(args).train()
    return 0


def prepare_process() -> None:
    """Set threads, log format and warnings of this process."""
    devices.fix_threads()
    cv2.setNumThreads(0)
    logger.remove()
    logger.add(sys.stderr, format=LINE, level="INFO")
    # The host's head still asks torch.cuda.amp for autocast, at every label assignment.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"yolox\..*")
