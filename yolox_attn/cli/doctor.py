"""`doctor`: examine a data set before anything is trained on it."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import add_overrides, check_files, parse, work_of
from yolox_attn.errors import InputError

ENDS = "exit codes: 0 nothing or warnings only, 1 errors in the data, 2 wrong flags"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        "doctor",
        description="Examine a data set; files are never changed.",
        epilog=ENDS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--data", metavar="DIR", help="COCO-layout folder")
    add("-f", "--exp_file", metavar="FILE", help="the data of this experiment file")
    add("-n", "--name", metavar="NAME", help="the data of this experiment, as yolox-m-cam")
    add("--quick", action="store_true", help="annotations and a sample of images, as train does")
    output = "write doctor.json and doctor.md there; the full form: YOLOX_outputs/doctor/DATA"
    add("-o", "--output", type=Path, metavar="DIR", help=output)
    add_overrides(parser, "override settings of the Exp")
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Examine, print and write the report; returns the exit code."""
    args = parse(make_parser(), argv)
    if args.data is None and args.exp_file is None and args.name is None:
        raise InputError("which data? give --data DIR, or -f or -n with the Exp's own")
    check_files(args)
    return int(work_of("doctor").examine(args))
