"""`doctor`: examine a data set before anything is trained on it."""

import argparse
import json
import tempfile
from pathlib import Path

import cv2
from yolox.data import get_yolox_datadir

from yolox_attn.coco.annotations import ANNOTATIONS
from yolox_attn.console import echo
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.coco_folder import annotation_files, need_file, pick_file
from yolox_attn.data.doctor import Finding, Report, examine_splits, load_split, unloadable
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.machine import expanded
from yolox_attn.runs import write_text

Places = dict[str, tuple[Path, str | None]]  # split -> annotation file, image folder if known
BY_CLASS = {"categories", "class_absent", "num_classes"}  # findings that compare classes


def examine(args: argparse.Namespace) -> int:
    """Examine as the words say, print and write the report; returns the exit code.

    Raises:
        InputError: there is nothing to examine.
    """
    cv2.setNumThreads(0)  # the threads read files, one each
    exp, places, findings = find_data(args)
    report = diagnose(exp, places, findings, full=not args.quick)
    echo("\n".join([*report.scope(), *report.lines(), report.tally]))
    output = args.output
    if output is None and not args.quick:
        output = Path(
            "YOLOX_outputs", "doctor", Path(args.data or str(exp.data_dir)).resolve().name
        )
    if output is not None:
        echo(f"written: {', '.join(map(str, write_report(report, output)))}")
    return 1 if report.errors else 0


def find_data(args: argparse.Namespace) -> tuple[AttentionExp, Places, list[Finding]]:
    """Return the experiment, where the splits of its data are, and which could not be found.

    Raises:
        InputError: there is no such folder, or the Exp is wrong.
    """
    named = args.exp_file is not None or args.name is not None
    exp = load_exp(args.exp_file, args.name) if named else AttentionExp()
    if args.data is not None:
        try:
            use_data(exp, args.data)
        except InputError as error:
            exp.data_dir = str(expanded(args.data))
            apply_overrides(exp, args.opts)
            return exp, *search(Path(exp.data_dir), error)
    apply_overrides(exp, args.opts)
    exp.data_dir = str(exp.data_dir or Path(get_yolox_datadir(), "COCO"))
    folder = Path(exp.data_dir)
    if not folder.is_dir():
        raise InputError(f"no data folder {folder}; give --data DIR")
    files = folder / ANNOTATIONS
    places: Places = {
        "train": (files / exp.train_ann, exp.train_name),
        "val": (files / exp.val_ann, exp.val_name),
    }
    if (files / exp.test_ann).is_file() and (folder / exp.test_name).is_dir():
        places["test"] = files / exp.test_ann, exp.test_name
    return exp, places, []


def search(root: Path, refusal: InputError) -> tuple[Places, list[Finding]]:
    """Look for the splits of a folder that was refused, each by itself."""
    try:
        files = annotation_files(root)
    except InputError:
        return {}, [unloadable("both", refusal)]
    places: Places = {}
    findings = []
    for split in ("train", "val", "test"):
        try:
            if split != "test" or pick_file(files, split):
                places[split] = need_file(root, files, split), None
        except InputError as error:
            findings.append(unloadable(split, error))
    return places, findings


def diagnose(exp: AttentionExp, places: Places, findings: list[Finding], *, full: bool) -> Report:
    """Examine the splits, or what is sound of them; `findings` are those made before."""
    splits: dict[str, CocoDetection] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for split, (file, name) in places.items():
            dataset, faults = load_split(file, name, split, Path(scratch))
            findings += faults
            if dataset is not None:
                splits[split] = dataset
        searched = any(name is None for _, name in places.values())
        classes = max((len(each.class_ids) for each in splits.values()), default=0)
        report = examine_splits(
            splits,
            num_classes=classes if searched else exp.num_classes,
            full=full,
            progress=True,
            max_labels=exp.max_labels,
        )
    shown = report.findings
    if any(each.code == "json_categories" for each in findings):  # then classes were left out
        shown = tuple(each for each in shown if each.code not in BY_CLASS)
    return Report([*findings, *shown], report.examined)


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
        for file, text in texts.items():
            write_text(file, text)
    except OSError as error:
        raise InputError(f"cannot write the report to {folder}: {error.strerror}") from error
    return list(texts)
