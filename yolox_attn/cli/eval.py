"""`eval`: judge a checkpoint by COCO's metrics, on any device."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import add_experiment_options, check_files, check_run, parse, work_of
from yolox_attn.errors import InputError


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: YOLOX's flags under their names, and ours."""
    parser = argparse.ArgumentParser(
        "eval",
        usage="eval RUN_FOLDER [options] [key value ...]\n       "
        "eval (-f FILE | -n NAME) [options] [key value ...]",
        description="Judge a checkpoint by COCO's metrics. RUN_FOLDER is a run that `train` made: "
        "experiment, data and sizes are read from its run.json.",
        allow_abbrev=False,
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
    output = "results; default: eval_val in the run's folder, or eval_val_ and what differs"
    add("--output", type=Path, metavar="DIR", help=output)
    add_experiment_options(parser)
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Evaluate, print and write the metrics; returns the exit code."""
    args = parse(make_parser(), argv)
    if args.trt:
        raise InputError(
            "--trt: TensorRT is not supported; use --fuse, with --fp16 on a CUDA device"
        )
    if args.batch_size < 1:
        raise InputError(f"-b {args.batch_size}: at least 1")
    check_files(args)
    check_run(args)
    return int(work_of("eval").evaluate(args, argv))
