"""What train and eval share of their command lines: which experiment, on which data and device."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yolox_attn.cli.processes import add_process_options, run_in_processes
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data

__all__ = [
    "add_experiment_options",
    "build_exp",
    "refuse_flags",
    "run_folder",
    "run_in_processes",
]


def add_experiment_options(parser: argparse.ArgumentParser) -> None:
    """Add the host's flags for an experiment, plus --data, --device, --bf16, --seed."""
    add = parser.add_argument
    add("-f", "--exp_file", metavar="FILE", help="experiment file, as exps/yolox_s_cam.py")
    add("-n", "--name", metavar="NAME", help="experiment by name, as yolox-m-cam")
    add("-expn", "--experiment-name", metavar="NAME", help="run folder; default: the Exp's name")
    add("-b", "--batch-size", type=int, default=8, metavar="N", help="images a pass, default 8")
    add("-c", "--ckpt", metavar="FILE", help="checkpoint")
    add("--data", metavar="DIR", help="COCO-layout folder; classes and file names are read from it")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add("--fp16", action="store_true", help="mixed precision in float16 (CUDA only)")
    add("--bf16", action="store_true", help="mixed precision in bfloat16 (CPU or CUDA)")
    add("--seed", type=int, metavar="K", help="seed of the run; its folder becomes NAME/seedK")
    add_process_options(parser)
    add("opts", nargs=argparse.REMAINDER, metavar="key value", help="override settings of the Exp")


def build_exp(args: argparse.Namespace) -> AttentionExp:
    """Return the experiment the arguments ask for; fills in `args.experiment_name`.

    Overrides win over --data, --data over the Exp file.

    Raises:
        InputError: an argument cannot be honoured.
    """
    if args.fp16 and args.bf16:
        raise InputError("--fp16 and --bf16 together: choose one")
    exp = load_exp(args.exp_file, args.name)
    if args.data is not None:
        use_data(exp, args.data)
    apply_overrides(exp, args.opts)
    if args.seed is not None:
        if "seed" in args.opts[0::2] and exp.seed != args.seed:
            raise InputError(f"--seed {args.seed} and seed {exp.seed}: choose one")
        exp.seed = args.seed
    if exp.seed is not None and exp.seed < 0:
        raise InputError(f"--seed {exp.seed}: at least 0")
    exp.check()
    if args.experiment_name is None:
        name = exp.exp_name
        args.experiment_name = name if args.seed is None else f"{name}/seed{args.seed}"
    return exp


def run_folder(exp: AttentionExp, args: argparse.Namespace) -> Path:
    """Return where the run's files are."""
    return Path(str(exp.output_dir), str(args.experiment_name))


def refuse_flags(args: argparse.Namespace, refused: Mapping[str, str]) -> None:
    """Refuse stock flags that are not supported, by name and with what to use instead.

    Raises:
        InputError: an attribute of `args` in `refused` (attribute -> message) is set.
    """
    for attribute, message in refused.items():
        value: Any = getattr(args, attribute, None)
        if value not in (None, False):
            raise InputError(message)
