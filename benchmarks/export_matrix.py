"""Every block, exported: how far are ONNX Runtime and OpenVINO from torch, in outputs and in AP?

    python benchmarks/export_matrix.py DATA WEIGHTS [--sizes nano s] [--blocks cam ...] [--half]
        [--json F]

yolox-nano begins with WEIGHTS (published, of DATA's classes), each block with gamma 0.1 of an
identity start, so that it takes part and the detector still detects. Other sizes are drawn, their
BatchNorms set to DATA's images so that no map fades away, and only their outputs are compared.
Each network is traced once, and with `--half` once more, for float16 weights, which are judged by
AP alone. Prints a line a block and format as soon as it is known, and the table at the end.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from yolox_attn.machine import set_wait_policy

set_wait_policy()  # before torch is imported

import torch
from loguru import logger
from tabulate import tabulate
from torch import Tensor, nn

from yolox_attn.coco.annotations import read_truth
from yolox_attn.core.class_names import class_names
from yolox_attn.core.weights import load_weights
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, load_exp, use_data
from yolox_attn.exp.evaluation_folder import annotations_of
from yolox_attn.exp.fuse import fuse
from yolox_attn.export import build
from yolox_attn.export.onnx import trace
from yolox_attn.export.parity import compare_outputs
from yolox_attn.models import IdentityStart
from yolox_attn.models.exported import ExportedModel
from yolox_attn.names import FORMATS
from yolox_attn.seed import seed_everything

BLOCKS = ("none", "cam", "se", "eca", "cbam", "acmix", "drconv", "attnconv")
GAMMA = 0.1
HEADS = ["size", "block", "format", "boxes: torch, file (px)", "probabilities: torch, file"]
HEADS += ["ties", "equal", "AP torch", "AP file", "difference (95 %)"]


def experiment(size: str, block: str, data: str) -> AttentionExp:
    """Return yolox-SIZE with the block, on the data."""
    exp = load_exp(name=f"yolox-{size}" + ("" if block == "none" else f"-{block}"))
    use_data(exp, data)
    exp.attention_init = "identity"
    return exp


def network(exp: AttentionExp, weights: Path | None, pictures: Tensor) -> nn.Module:
    """Return the network with its blocks at work."""
    seed_everything(0)
    model = copy.deepcopy(exp.get_model())  # an evaluation takes the Exp's own to its device
    if weights is not None:
        load_weights(model, weights, attention_init="identity")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, IdentityStart):
                module.gamma.fill_(GAMMA)
    model.eval()
    if weights is None:
        set_statistics(model, pictures)
    return model


def set_statistics(model: nn.Module, pictures: Tensor) -> None:
    """Give each BatchNorm the mean and variance of what it gets from the pictures."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        model(pictures)
    model.eval()


def compared(size: str, block: str, args: argparse.Namespace, place: Path) -> Iterator[Any]:
    """Yield the results of each format: a dictionary."""
    exp = experiment(size, block, args.data)
    pictures = build.dataset_images(exp, args.images)
    model = network(exp, args.weights if size == "nano" else None, pictures)
    checkpoint = place / f"{size}_{block}.pth"
    torch.save({"model": model.state_dict()}, checkpoint)
    truth_file = annotations_of(exp, build.CPU)
    truth = read_truth(truth_file) if truth_file is not None and size == "nano" else None
    torch_ap = None if truth is None else build.measured_ap(exp, checkpoint, truth)
    for half in (False, True) if args.half and truth is not None else (False,):
        start = time.perf_counter()
        fused, _ = fuse(copy.deepcopy(model), pictures[:2])
        program = trace(fused, half=half)
        seconds = time.perf_counter() - start
        for form, ending in FORMATS.items():
            result: dict[str, Any] = {"size": size, "block": block, "trace": seconds}
            result["format"] = f"{form} --half" if half else form
            names = tuple(class_names(exp))
            request = build.Request(exp, checkpoint, exp.exp_name, names, form, half=half)
            file = place / f"{size}_{block}{'_half' if half else ''}{ending}"
            try:
                build.write_form(program, request, file, nms=False)
                if not half:  # float16 weights are judged by AP alone
                    batches = build.at_two_sizes(pictures)
                    result["parity"] = compare_outputs(model, ExportedModel(file), batches)
                if truth is not None and torch_ap is not None:
                    measured = build.measured_ap(exp, file, truth)
                    result["ap"] = build.difference(truth, torch_ap, measured)
            except InputError as error:
                result["blocked"] = str(error)
            yield result


def row(result: dict[str, Any]) -> list[str]:
    """Return a line of the table."""
    cells = [result["size"], result["block"], result["format"]]
    if "blocked" in result:
        return [*cells, result["blocked"]]
    parity, ap = result.get("parity"), result.get("ap")
    if parity is None:
        cells += [""] * 4
    else:
        sides = parity.torch, parity.exported
        cells += [", ".join(f"{getattr(each, part):.1e}" for each in sides)
                  for part in ("boxes", "probabilities")]  # fmt: skip
        cells += [str(parity.ties), "yes" if parity.holds else "NO"]
    if ap is not None:
        low, high = ap.interval
        cells += [f"{ap.torch:.2f}", f"{ap.exported:.2f}"]
        cells.append(f"{ap.points:+.3f} ({low:+.3f} to {high:+.3f})")
    return cells


def main() -> int:
    """Export, compare, print; exit code 1 if a format is not equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["nano", "s"], metavar="SIZE")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=BLOCKS, metavar="BLOCK")
    parser.add_argument(
        "--half", action="store_true", help="float16 weights too, where AP is known"
    )
    parser.add_argument("--images", type=int, default=4, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same, as JSON")
    args = parser.parse_args()
    logger.remove()
    results = []
    with tempfile.TemporaryDirectory() as place:
        for size in args.sizes:
            for block in args.blocks:
                for result in compared(size, block, args, Path(place)):
                    results.append(result)
                    print(*row(result), sep=" | ", flush=True)
    print()
    print(tabulate(map(row, results), HEADS, tablefmt="pipe", disable_numparse=True))
    if args.json:
        plain = [{k: v if isinstance(v, str | float) else v and asdict(v) for k, v in each.items()}
                 for each in results]  # fmt: skip
        args.json.write_text(json.dumps(plain, indent=2))
    return int(any("parity" in each and not each["parity"].holds for each in results))


if __name__ == "__main__":
    raise SystemExit(main())
