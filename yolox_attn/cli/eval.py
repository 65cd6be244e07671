"""`eval`: judge a checkpoint by COCO's metrics, on any device."""

import argparse
from pathlib import Path

from loguru import logger
from yolox.utils import get_world_size, is_main_process

from yolox_attn import device as devices
from yolox_attn.cli import report_errors
from yolox_attn.cli.common import (
    add_experiment_options,
    build_exp,
    precision_of,
    prepare_process,
    run_folder,
    run_in_processes,
)
from yolox_attn.coco.results import write_evaluation
from yolox_attn.console import echo
from yolox_attn.core.launch import launched, process_group
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp
from yolox_attn.exp.evaluation import Conditions, Evaluation, evaluate_checkpoint, time_forward
from yolox_attn.runs import file_hash
from yolox_attn.seed import seed_everything


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: YOLOX's flags under their names, and ours."""
    parser = argparse.ArgumentParser(
        "eval", description="Judge a checkpoint by COCO's metrics.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--conf", type=float, metavar="P", help="lowest confidence; default: the Exp's test_conf")
    add("--nms", type=float, metavar="IOU", help="NMS threshold; default: the Exp's nmsthre")
    add("--tsize", type=int, metavar="N", help="images N x N; default: the Exp's test_size")
    add("--fuse", action="store_true", help="fuse convolutions with their BatchNorm")
    add("--test", action="store_true", help="the test split instead of the validation split")
    add("--legacy", action="store_true", help="normalise images as YOLOX before 0.2 did")
    add("--speed", action="store_true", help="only time the forward pass of one image of noise")
    add("--trt", action="store_true", help=argparse.SUPPRESS)
    add("--output", type=Path, metavar="DIR", help="results; default: eval_val in the run's folder")
    add_experiment_options(parser)
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Evaluate, print and write the metrics; returns the exit code."""
    args = make_parser().parse_args(argv)
    if args.trt:
        raise InputError(
            "--trt: TensorRT is not supported; use --fuse, with --fp16 on a CUDA device"
        )
    exp = build_exp(args)
    set_thresholds(exp, args)
    how = conditions_of(args)
    if not args.speed:
        checkpoint_of(exp, args)
    if (code := run_in_processes("eval", args, argv)) is not None:
        return code
    prepare_process()
    with process_group(how.device, args.dist_backend):
        devices.use(how.device)
        if exp.seed is not None:
            seed_everything(exp.seed)
        text = speed(exp, args, how) if args.speed else judge(exp, args, how)
        if is_main_process():
            echo(text)
    return 0


def set_thresholds(exp: AttentionExp, args: argparse.Namespace) -> None:
    """Let --conf, --nms and --tsize replace what the Exp says.

    Raises:
        InputError: a threshold outside 0 to 1, or a size that the network cannot take.
    """
    for flag, attribute in (("conf", "test_conf"), ("nms", "nmsthre")):
        value = getattr(args, flag)
        if value is None:
            continue
        if not 0 <= value <= 1:
            raise InputError(f"--{flag} {value}: must be from 0 to 1")
        setattr(exp, attribute, value)
    if args.tsize is not None:
        if args.tsize < 32 or args.tsize % 32:
            raise InputError(f"--tsize {args.tsize}: must be a multiple of 32, at least 32")
        exp.test_size = (args.tsize, args.tsize)


def conditions_of(args: argparse.Namespace) -> Conditions:
    """Return the conditions that the flags ask for.

    Raises:
        InputError: there is no such device, it has no such precision, or the batch is empty.
    """
    if args.batch_size < 1:
        raise InputError(f"-b {args.batch_size}: at least 1")
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


def checkpoint_of(exp: AttentionExp, args: argparse.Namespace) -> Path:
    """Return the file that -c names, else the best of the experiment's run.

    Raises:
        InputError: there is none.
    """
    checkpoint = Path(args.ckpt) if args.ckpt else run_folder(exp, args) / "best_ckpt.pth"
    if not checkpoint.is_file():
        advice = "" if args.ckpt else "; train the experiment first, or give -c FILE"
        raise InputError(f"no checkpoint {checkpoint}{advice}")
    return checkpoint


def judge(exp: AttentionExp, args: argparse.Namespace, how: Conditions) -> str:
    """Evaluate the checkpoint; on rank 0 write the results and return the summary."""
    checkpoint = checkpoint_of(exp, args)
    if is_main_process():
        logger.info(f"{checkpoint} on {devices.describe(how.device)}, {how.precision}")
    result = evaluate_checkpoint(exp, checkpoint, how)
    if not is_main_process():
        return ""
    folder = args.output or run_folder(exp, args) / f"eval_{'test' if how.test else 'val'}"
    report = {"experiment": args.experiment_name, **describe(exp, checkpoint, how, result)}
    written = write_evaluation(folder, result.detections, report)
    return f"{result.summary}written: {', '.join(map(str, written))}"


def describe(
    exp: AttentionExp, checkpoint: Path, how: Conditions, result: Evaluation
) -> dict[str, object]:
    """Return what evaluation.json says: the metrics, and of what and how they were taken."""
    return {
        "checkpoint": {"file": str(checkpoint), "sha256": file_hash(checkpoint)},
        "split": "test" if how.test else "val",
        "data_dir": exp.data_dir,
        "annotations": exp.test_ann if how.test else exp.val_ann,
        "test_size": list(exp.test_size),
        "confidence": exp.test_conf,
        "nms": exp.nmsthre,
        "precision": how.precision,
        "fused": how.fuse,
        "legacy": how.legacy,
        "device": devices.describe(how.device),
        "batch_size": how.batch_size,
        "processes": get_world_size(),
        "timing": result.timing,
        "metrics": result.metrics,
        "class_ap": result.class_ap,
    }


def speed(exp: AttentionExp, args: argparse.Namespace, how: Conditions) -> str:
    """Time the forward pass and return the line to print."""
    taken = time_forward(exp, Path(args.ckpt) if args.ckpt else None, how)
    height, width = exp.test_size
    return (
        f"forward of one {height} x {width} image on {devices.describe(how.device)}, "
        f"{how.precision}: median {taken.median_ms:.2f} ms, "
        f"80 % between {taken.low_ms:.2f} and {taken.high_ms:.2f} ms"
    )
