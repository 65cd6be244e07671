"""`export`: a trained detector as an ONNX or OpenVINO file, compared with what it was made of."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import SIZE_HELP, add_overrides, check_files, check_run, parse, work_of
from yolox_attn.errors import InputError
from yolox_attn.names import FORMATS

# What `find_run` asks of a command line and this one does not offer.
UNUSED = {
    "experiment_name": None,
    "seed": None,
    "fp16": False,
    "bf16": False,
    "nms": None,
    "tsize": None,
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        "export",
        usage="export -c RUN [options] [key value ...]\n       "
        "export (-f FILE | -n NAME) -c WEIGHTS [options] [key value ...]",
        description="Write a trained detector as ONNX or OpenVINO, for any batch and size, and "
        "compare outputs and AP with the network's.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-c", "--ckpt", metavar="RUN", help="a run's folder, a checkpoint in one, or weights")
    add("-f", "--exp_file", metavar="FILE", help="experiment file of weights of no run")
    add("-n", "--name", metavar="NAME", help="the same by name, as yolox-m-cam")
    add("--format", choices=FORMATS, default="onnx", help="default: onnx")
    rows = "with NMS inside: rows of image, x1, y1, x2, y2, score, class"
    add("--nms", dest="with_nms", action="store_true", help=rows)
    add("--half", action="store_true", help="float16 weights, judged by AP alone")
    lowest = "lowest confidence that NMS lets through; default: the Exp's test_conf"
    add("--conf", type=float, metavar="P", help=lowest)
    add("-o", "--output", type=Path, metavar="FILE", help="default: next to the checkpoint")
    add("--images", type=int, default=8, metavar="N", help="images compared, default 8")
    add("--data", metavar="DIR", help="data set to compare on; default: the run's")
    add("--size", type=int, metavar="N", help=SIZE_HELP)
    add_overrides(parser, "override settings of the Exp, as nmsthre 0.5")
    parser.set_defaults(**UNUSED)
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Export; returns the exit code: 1, and no file, if it does not do what the network does."""
    args = parse(make_parser(), argv)
    if args.images < 2:
        raise InputError(f"--images {args.images}: at least 2")
    check_files(args)
    check_run(args)
    return int(work_of("export").export(args))
