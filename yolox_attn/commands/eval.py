"""`eval`: judge a checkpoint by COCO's metrics, on any device."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loguru import logger
from yolox.utils import get_world_size, is_main_process

from yolox_attn import device as devices
from yolox_attn.coco.results import write_evaluation
from yolox_attn.commands.common import given_settings, precision_of, prepare_process
from yolox_attn.commands.find_run import find_run
from yolox_attn.commands.processes import run_in_processes
from yolox_attn.console import count, echo
from yolox_attn.core.checkpoint import BEST_NAME, LATEST_NAME
from yolox_attn.core.class_names import check_classes, names_of_run
from yolox_attn.core.launch import process_group
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp
from yolox_attn.exp.evaluation import Conditions, Evaluation, evaluate_checkpoint, time_forward
from yolox_attn.exp.evaluation_folder import (
    Source,
    annotations_of,
    folder_name,
    refuse_other,
    runs_below,
    settings_of,
    split_of,
)
from yolox_attn.launched import launched
from yolox_attn.models.exported import Card, ExportedModel, is_exported
from yolox_attn.seed import seed_everything


def evaluate(args: argparse.Namespace, argv: list[str] | None) -> int:
    """Evaluate as the words `argv` say, print and write the metrics; returns the exit code.

    Raises:
        InputError: the words ask for what cannot be.
    """
    run = find_run(args)
    exp, source = run.exp, run.source
    how = conditions_of(args)
    first = os.environ.get("RANK", "0") == "0"
    checkpoint = None if args.speed else checkpoint_of(source, args)
    folder, settings = Path(), dict[str, Any]()
    card = as_exported(exp, how, args)
    warning = None
    if checkpoint is not None and first:
        folder, settings = destination(exp, source, checkpoint, how, args)
        warning = class_warning(exp, checkpoint, how, card)
    if (code := run_in_processes("eval", args, argv)) is not None:
        return code
    prepare_process()
    if first:
        run.log()
        if warning:
            logger.warning(warning)
    with process_group(how.device, args.dist_backend):
        devices.use(how.device)
        if exp.seed is not None:
            seed_everything(exp.seed)
        if checkpoint is None:
            text = speed(exp, args, how)
        else:
            result = judge(exp, checkpoint, how)
            text = written(exp, args, how, result, folder, settings) if first else ""
        if is_main_process():
            echo(text)
    return 0


def conditions_of(args: argparse.Namespace) -> Conditions:
    """Return the conditions that the flags ask for.

    Raises:
        InputError: there is no such device, or it has no such precision.
    """
    how = Conditions(
        device=devices.pick_device(args.device),
        precision=precision_of(args),
        batch_size=args.batch_size,
        test=args.test,
        legacy=args.legacy,
        fuse=args.fuse,
    )
    devices.precision_dtype(how.precision, how.device)
    if args.speed and (launched() or args.devices not in (None, 1)):
        raise InputError("--speed times one process; drop -d and torchrun")
    return how


def checkpoint_of(source: Source, args: argparse.Namespace) -> Path:
    """Return the file that -c names, else the best of the run.

    Raises:
        InputError: there is none.
    """
    checkpoint = Path(args.ckpt) if args.ckpt else source.folder / BEST_NAME
    if checkpoint.is_file():
        return checkpoint
    advice = "" if args.ckpt else "; train the experiment first, or give -c FILE"
    if not args.ckpt and (latest := source.folder / LATEST_NAME).is_file():
        advice = f"; the run has not been evaluated yet: -c {latest}, or go on with --resume"
    if not args.ckpt and (runs := runs_below(source.folder)):
        advice = f"; runs in that folder: {', '.join(runs)}: give --seed, or the run's folder alone"
    raise InputError(f"no checkpoint {checkpoint}{advice}")


def as_exported(exp: AttentionExp, how: Conditions, args: argparse.Namespace) -> Card | None:
    """Give the experiment the thresholds of NMS inside the file, if -c is an exported one.

    Returns:
        what the exported file says of itself, None of a checkpoint.

    Raises:
        InputError: a flag asks for what is fixed in the file.
    """
    file = Path(args.ckpt or "")
    if not is_exported(file):
        return None
    for flag in ("speed", "fuse", "fp16", "bf16"):
        if getattr(args, flag):
            raise InputError(f"--{flag}: {file} is exported, how it computes is fixed in it")
    card = ExportedModel(file, how.device).card
    if card.nms:
        exp.test_conf, exp.nmsthre = card.thresholds(file, args.conf, args.nms)
    return card


def destination(
    exp: AttentionExp, source: Source, checkpoint: Path, how: Conditions, args: argparse.Namespace
) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the results, and what the numbers in it depend on.

    Raises:
        InputError: the folder holds something else.
    """
    truth = annotations_of(exp, how)
    if truth is not None and not truth.is_file():
        which = f"these data have no {split_of(how)} split" if truth.parent.is_dir() else "no data"
        raise InputError(f"{which}: no file {truth}; give --data DIR")
    settings = settings_of(exp, checkpoint, how, given_settings(args))
    folder = args.output or source.folder / folder_name(exp, source, how, settings)
    refuse_other(folder, settings)
    return folder, settings


def class_warning(
    exp: AttentionExp, checkpoint: Path, how: Conditions, card: Card | None
) -> str | None:
    """Return a warning where the data's classes are not those of the checkpoint or exported file.

    What lies in no run does not say its classes.

    Raises:
        InputError: they have another order.
    """
    names: Sequence[str] | None = card.names if card else names_of_run(checkpoint)
    truth = annotations_of(exp, how)
    return check_classes(names, truth) if names and truth else None


def judge(exp: AttentionExp, checkpoint: Path, how: Conditions) -> Evaluation:
    """Evaluate the checkpoint."""
    if is_main_process():
        logger.info(f"evaluating {checkpoint} on {split_of(how)} ...")
    return evaluate_checkpoint(exp, checkpoint, how)


def written(  # noqa: PLR0913
    exp: AttentionExp,
    args: argparse.Namespace,
    how: Conditions,
    result: Evaluation,
    folder: Path,
    settings: dict[str, Any],
) -> str:
    """Write the results and return the summary, beginning with what was evaluated and how."""
    data_dir = None if exp.data_dir is None else str(Path(exp.data_dir).absolute())
    report = {
        "experiment": args.experiment_name,
        **settings,
        "data_dir": data_dir,  # known now also where the Exp finds it by itself
        "device": devices.describe(how.device),
        "batch_size": how.batch_size,
        "processes": get_world_size(),
        "timing": result.timing,
        "metrics": result.metrics,
        "class_ap": result.class_ap,
    }
    files = write_evaluation(folder, result.detections, report)
    height, width = exp.test_size
    images = "" if result.images is None else f"{count(result.images, 'image')} of "
    heading = (
        f"{settings['checkpoint']['file']}: {split_of(how)} split "
        f"({images}{settings['annotations']} in {data_dir}) at {height}x{width}, {how.precision}, "
        f"on {report['device']}"
    )
    return f"{heading}\n{result.summary}written: {', '.join(map(str, files))}"


def speed(exp: AttentionExp, args: argparse.Namespace, how: Conditions) -> str:
    """Time the forward pass and return the line to print."""
    taken = time_forward(exp, Path(args.ckpt) if args.ckpt else None, how)
    height, width = exp.test_size
    return (
        f"forward of one {height} x {width} image on {devices.describe(how.device)}, "
        f"{how.precision}: median {taken.median_ms:.2f} ms, "
        f"80 % between {taken.low_ms:.2f} and {taken.high_ms:.2f} ms"
    )
