"""`export`: a trained detector as an ONNX or OpenVINO file, compared with what it was made of."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from loguru import logger

from yolox_attn.commands.common import prepare_process
from yolox_attn.commands.find_run import FoundRun, find_run
from yolox_attn.console import count, echo
from yolox_attn.core.checkpoint import BEST_NAME
from yolox_attn.core.class_names import class_names
from yolox_attn.errors import InputError
from yolox_attn.exp.evaluation_folder import runs_below
from yolox_attn.export import build
from yolox_attn.export.build import Difference, Exported, Request
from yolox_attn.export.openvino import require_openvino
from yolox_attn.export.parity import ALLOWED, TIE, Parity
from yolox_attn.models.exported import ONNX, is_exported
from yolox_attn.names import FORMATS
from yolox_attn.runs import scratch_folder, write_json


def export(args: argparse.Namespace) -> int:
    """Export as the words say; returns the exit code: 1, and no file, if the file does not hold.

    Raises:
        InputError: the words ask for what cannot be.
    """
    if args.format == "openvino":
        require_openvino()
    run = find_run(args)
    checkpoint = checkpoint_of(run, args)
    request = Request(
        exp=run.exp,
        checkpoint=checkpoint,
        name=run.exp.exp_name,
        names=tuple(class_names(run.exp, run.source.record)),
        format=args.format,
        nms=args.with_nms,
        half=args.half,
        images=args.images,
    )
    file = destination(args, checkpoint)
    prepare_process()
    run.log()
    # In a folder of its own next to the file: nothing unchecked has the name of a model.
    with scratch_folder(file.parent, f".{file.name}.") as scratch:
        fresh = scratch / file.name
        made = build.export(request, fresh, logger.info)
        echo("\n".join(sentences(request, made)))
        if made.fault:
            echo(f"error: not exported: {made.fault}", err=True)
            return 1
        for old, new in zip(reversed(parts(fresh)), reversed(parts(file)), strict=True):
            old.replace(new)
    report = file.with_name(f"{file.name}.json")
    write_json(report, asdict(replace(made, file=str(file))))
    echo(f"written: {', '.join(map(str, (*parts(file), report)))}")
    return 0


def checkpoint_of(run: FoundRun, args: argparse.Namespace) -> Path:
    """Return the file that -c names, else the best of the run.

    Raises:
        InputError: there is none, or it is exported already.
    """
    checkpoint = Path(args.ckpt) if args.ckpt else run.source.folder / BEST_NAME
    if is_exported(checkpoint):
        raise InputError(f"{checkpoint} is exported already; -c is a run or a checkpoint")
    if not checkpoint.is_file():
        runs = ", ".join(runs_below(run.source.folder))
        raise InputError(f"no checkpoint {checkpoint}{f'; runs there: {runs}' if runs else ''}")
    return checkpoint


def destination(args: argparse.Namespace, checkpoint: Path) -> Path:
    """Return the file to write.

    Raises:
        InputError: its name does not end as the format's do, or it cannot be written there.
    """
    ending = FORMATS[args.format]
    file: Path = args.output or checkpoint.with_suffix(ending)
    if file.suffix != ending:
        raise InputError(f"-o {file}: a file of --format {args.format} ends with {ending}")
    if file.is_dir():
        raise InputError(f"-o {file} is a folder; give a file in it")
    if len(parts(file)) > 1 and parts(file)[1].exists() and not file.exists():
        raise InputError(f"-o {file}: {parts(file)[1]} is there already, of something else")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"-o {file}: cannot make its folder: {error.strerror}") from error
    return file


def parts(file: Path) -> list[Path]:
    """Return the files that an exported detector consists of."""
    return [file] if file.suffix == ONNX else [file, file.with_suffix(".bin")]


def sentences(request: Request, made: Exported) -> list[str]:
    """Return the results, a line each."""
    lines = [f"opset {made.opset}, any batch, any size in steps of 32"]
    if made.parity is not None:
        lines.append(parity_sentence(made.parity, real=made.real_images))
    if made.nms is not None:
        different, boxes = made.nms
        lines.append(f"NMS inside and YOLOX's: {different} of {boxes} boxes differ")
    if made.ap is not None:
        lines.append(ap_sentence(request, made.ap))
    else:
        few = "too few of the validation images show objects"
        lines.append(f"AP: not compared, {few if made.real_images else 'no data; give --data'}")
    return lines


def parity_sentence(parity: Parity, *, real: bool) -> str:
    """Say how far both are from float64, and whether that is near enough."""
    sizes = " and ".join(f"{height}x{width}" for height, width in dict.fromkeys(parity.sizes))
    both, allowed = (parity.torch, parity.exported), parity.allowed
    boxes, shares = (
        [f"{getattr(each, name):.1e}" for each in (*both, allowed)]
        for name in ("boxes", "probabilities")
    )
    tied = f"; {count(parity.tied_images, 'image')} left out, " if parity.tied_images else ""
    if tied:
        tied += f"where regions of DRConv tie within {TIE:g} ({count(parity.ties, 'pixel')})"
    return (
        f"outputs: {'equal' if parity.holds else 'NOT EQUAL'} on "
        f"{count(parity.compared, 'input' if real else 'drawn input')} of {sizes}: from float64 "
        f"torch departs by {boxes[0]} px, the file by {boxes[1]} (allowed {ALLOWED:g} times: "
        f"{boxes[2]}); probabilities {shares[0]}, {shares[1]} ({shares[2]}){tied}"
    )


def ap_sentence(request: Request, ap: Difference) -> str:
    """Say AP of both, and what other images would make of the difference."""
    low, high = ap.interval
    return (
        f"AP on {count(ap.images, 'validation image')}, from confidence "
        f"{request.exp.test_conf:g} on: torch {ap.torch:.2f}, {request.format} "
        f"{ap.exported:.2f}: {ap.points:+.2f} (95 % interval {low:+.2f} to {high:+.2f} over images)"
    )
