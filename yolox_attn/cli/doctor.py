"""`doctor`: examine a data set before anything is trained on it."""

import argparse
import json
from pathlib import Path

import cv2
from yolox.data import get_yolox_datadir

from yolox_attn.cli import report_errors
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor import Finding, Report, examine, examine_split
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data

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
    add("-o", "--output", type=Path, metavar="DIR", help="write doctor.json and doctor.md there")
    add("opts", nargs=argparse.REMAINDER, metavar="key value", help="override settings of the Exp")
    return parser


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Examine, print and write the report; returns the exit code."""
    args = make_parser().parse_args(argv)
    cv2.setNumThreads(0)  # the threads read files, one each
    report = diagnose(args)
    tally = (
        f"{len(report.errors)} kinds of error, {len(report.warnings)} of warning, "
        f"{len(report.repairs)} repaired in memory"
    )
    print(*report.lines(), tally, sep="\n")  # noqa: T201
    if args.output is not None:
        print(f"written: {', '.join(map(str, write_report(report, args.output)))}")  # noqa: T201
    return 1 if report.errors else 0


def diagnose(args: argparse.Namespace) -> Report:
    """Return the findings; what cannot even be loaded is one of them.

    Raises:
        InputError: there is nothing to examine: no data named, no such folder, a wrong Exp.
    """
    if args.data is None and args.exp_file is None and args.name is None:
        raise InputError("which data? give --data DIR, or -f or -n with the Exp's own")
    if args.data is not None and not Path(args.data).expanduser().is_dir():
        raise InputError(f"no data folder {args.data}")
    named = args.exp_file is not None or args.name is not None
    exp = load_exp(args.exp_file, args.name) if named else AttentionExp()
    if args.data is not None:
        try:
            use_data(exp, args.data)
        except InputError as error:
            return Report([unloadable("both", error)])
    apply_overrides(exp, args.opts)
    folder = Path(exp.data_dir or Path(get_yolox_datadir(), "COCO"))
    if not folder.is_dir():
        raise InputError(f"no data folder {folder}; give --data DIR")
    return examine_exp(exp, full=not args.quick)


def examine_exp(exp: AttentionExp, *, full: bool) -> Report:
    """Load both splits of an experiment and examine them, or the one that can be loaded."""
    names = {"train": (exp.train_ann, exp.train_name), "val": (exp.val_ann, exp.val_name)}
    loaded, findings = {}, []
    for split, (ann, name) in names.items():
        try:
            loaded[split] = CocoDetection(exp.data_dir, ann, name)
        except InputError as error:
            findings.append(unloadable(split, error))
    if not findings:
        splits = loaded["train"], loaded["val"]
        return examine(*splits, num_classes=exp.num_classes, full=full, progress=True)
    for split, dataset in loaded.items():
        findings += examine_split(dataset, split, full=full, progress=True)[1]
    return Report(findings)


def unloadable(split: str, error: InputError) -> Finding:
    """Return what was wrong with a split that could not be loaded."""
    return Finding("error", "unloadable", split, str(error), 1)


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write doctor.json and doctor.md and return their paths.

    Raises:
        InputError: they cannot be written.
    """
    texts = {
        folder / "doctor.json": json.dumps(report.as_dict(), indent=2) + "\n",
        folder / "doctor.md": report.as_markdown(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write the report to {folder}: {error.strerror}") from error
    return list(texts)
