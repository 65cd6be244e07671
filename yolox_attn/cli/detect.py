"""`detect`: what a trained detector sees in images, videos, cameras."""

import argparse
from glob import has_magic
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import check_files, work_of
from yolox_attn.console import printable
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.names import CAMERA


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        "detect",
        description="Draw and list what a trained detector finds.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    sources = "images, folders, patterns, videos, camera:0"
    add("sources", nargs="+", metavar="SOURCE", help=sources)
    run = "a run's folder, a checkpoint in one, an exported file, or weights"
    add("-c", "--ckpt", required=True, metavar="RUN", help=run)
    add("-f", "--exp_file", metavar="FILE", help="experiment file of weights that belong to no run")
    add("-n", "--name", metavar="NAME", help="the same by name, as yolox-s")
    output = "results; default: YOLOX_outputs/detect/TIME"
    add("-o", "--output", type=Path, metavar="DIR", help=output)
    add("--conf", type=float, default=0.3, metavar="P", help="lowest confidence (default 0.3)")
    add("--nms", type=float, metavar="IOU", help="NMS threshold; default: the run's")
    add("-b", "--batch-size", type=int, default=8, metavar="N", help="images a pass, default 8")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add("--frames", type=int, metavar="N", help="of a video or camera, the first N alone")
    add("--no-draw", dest="draw", action="store_false", help="lists only, no pictures")
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Detect; returns the exit code: 1 if a file could not be read, the others are done."""
    args = make_parser().parse_args(argv)
    for flag in ("batch_size", "frames"):
        if (value := getattr(args, flag)) is not None and value < 1:
            raise InputError(f"--{flag.replace('_', '-')} {value}: at least 1")
    for word in args.sources:
        if not (has_magic(word) or CAMERA.fullmatch(word) or expanded(word).exists()):
            raise InputError(f"{printable(word)}: no such image, folder or video")
    check_files(args, "no run folder, checkpoint or exported file")
    return int(work_of("detect").detect(args))
