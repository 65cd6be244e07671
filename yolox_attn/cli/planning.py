"""`study plan` and `study noise`: what they take, check, time, write and say."""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from yolox_attn.device import devices_for_runs, pick_device, precision_dtype, usable_cores
from yolox_attn.errors import InputError
from yolox_attn.stats.judgement import Terms
from yolox_attn.study.asked import Request
from yolox_attn.study.floor import paired_sd
from yolox_attn.study.making import Made, make_plan
from yolox_attn.study.onward import STUDY, next_lines
from yolox_attn.study.plan import SPLITS, Training, refuse_planned, write_plan
from yolox_attn.study.probe import probe
from yolox_attn.study.telling import NOISE, Probes, expected, plan_lines


def plan_study(name: str, words: list[str]) -> int:
    """Make the plan of `study plan` or `study noise`, by `name`, and say what it is."""
    command = f"{STUDY} {shlex.join([name, *words])}"
    if words and not words[0].startswith("-"):
        words = ["--study", *words]  # what an override is, argparse knows behind options alone
    elif not {"-h", "--help"} & {*words}:
        raise InputError(f"study {name}: the study's folder comes first, then the options")
    args = make_parser(name).parse_args(words)
    refuse_planned(args.study)
    request = make_request(args)
    sd = None if args.noise is None else paired_sd(args.noise)
    device = pick_device(args.device)
    if args.probe:
        precision_dtype(request.training.precision, device)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    made = make_plan(request)
    probes = _probes(made, args.device) if args.probe else {}
    plan = replace(made.plan, expected=expected(made.plan, probes, sd), command=command)
    path = write_plan(args.study, plan)
    lines = [*NOISE, ""] if name == "noise" else []
    cpu = device.type == "cpu"
    room = usable_cores() // plan.training.threads if cpu else len(devices_for_runs(args.device))
    lines += plan_lines(made, probes, sd, room)
    if args.probe and load > usable_cores():
        lines += [f"note: the machine was busy (load {load:.1f}): alone the runs take less time"]
    lines += ["", f"plan: {path}, sha256 {plan.hash}", *next_lines(args.study, plan)]
    print("\n".join(lines))  # noqa: T201 - the product
    return 0


def make_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of `study plan`, or of `study noise`, which takes no variants."""
    parser = argparse.ArgumentParser(
        f"study {name}",
        usage=f"study {name} STUDY --baseline EXP [options] [key value ...]",
        description="Check everything and write STUDY/plan.json; what follows the options are "
        "overrides of Exp settings, for all runs.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, help=argparse.SUPPRESS)
    add("--baseline", required=True, metavar="EXP", help="an Exp file, or a name as yolox-nano")
    if name == "plan":
        add("--variants", nargs="+", default=[], metavar="V",
            help="blocks (cam) for the baseline; names (yolox-nano-cam); Exp files")  # fmt: skip
        add("--controls", nargs="+", default=[], metavar="C", help="placebo, plain:BLOCK")
    add("--seeds", nargs="+", type=int, default=[3], metavar="N",
        help="how many (0, 1 ...), or several seeds by their numbers; default 3")  # fmt: skip
    _add_training(parser)
    _add_terms(parser)
    add("--device", default="auto", help="of the timed probe; `run` has its own")
    add("--no-probe", dest="probe", action="store_false", help="do not time steps of the variants")
    add("opts", nargs=argparse.REMAINDER, metavar="key value", help="overrides, for all runs")
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="DIR", help="COCO-layout folder")
    add("-b", "--batch-size", type=int, default=8, metavar="N", help="images a pass, default 8")
    add("--accumulate", type=int, default=1, metavar="N", help="batches a step (default 1)")
    add("-c", "--ckpt", metavar="FILE", help="pretrained weights that every run starts from")
    add("--fp16", action="store_true", help="mixed precision in float16 (CUDA only)")
    add("--bf16", action="store_true", help="mixed precision in bfloat16 (CPU or CUDA)")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads a run (default 1)")


def _add_terms(parser: argparse.ArgumentParser) -> None:
    add, usual = parser.add_argument, Terms()
    add("--split", default="val", choices=SPLITS, help="the images that judge (default val)")
    add("--sesoi", type=float, default=usual.sesoi, metavar="AP",
        help=f"smallest effect worth having, AP points (default {usual.sesoi:g})")  # fmt: skip
    add("--alpha", type=float, default=usual.alpha, metavar="A",
        help=f"error rate of the verdicts (default {usual.alpha:g})")  # fmt: skip
    add("--replicates", type=int, default=usual.replicates, metavar="R",
        help=f"resamples of the images (default {usual.replicates})")  # fmt: skip
    add("--groups", metavar="KEY|CSV",
        help="images that belong together: a key of the annotations' images, or a csv file with "
        "the columns image and group")  # fmt: skip
    add("--noise", metavar="SD|STUDY",
        help="SD of paired differences, AP points, or a `study noise` with its report")  # fmt: skip


def make_request(args: argparse.Namespace) -> Request:
    """Return what the arguments ask for.

    Raises:
        InputError: they contradict each other, or name nothing to compare.
    """
    if args.fp16 and args.bf16:
        raise InputError("--fp16 and --bf16 together: choose one")
    variants, controls = getattr(args, "variants", None), getattr(args, "controls", None)
    if variants == [] and controls == []:
        raise InputError("nothing to compare: give --variants; the baseline alone is `study noise`")
    one = len(args.seeds) == 1
    if one and args.seeds[0] < 1:
        raise InputError(f"--seeds {args.seeds[0]}: how many, at least 1; or several seeds")
    return Request(
        baseline=args.baseline,
        variants=tuple(variants or ()),
        controls=tuple(controls or ()),
        seeds=tuple(range(args.seeds[0])) if one else tuple(args.seeds),
        training=Training(
            data=args.data,
            batch_size=args.batch_size,
            accumulate=args.accumulate,
            precision="fp16" if args.fp16 else "bf16" if args.bf16 else "fp32",
            checkpoint=args.ckpt,
            threads=args.threads,
            overrides=tuple(word for word in args.opts if word != "--"),
        ),
        split=args.split,
        terms=Terms(sesoi=args.sesoi, alpha=args.alpha, replicates=args.replicates),
        groups=args.groups,
    )


def _probes(made: Made, device: str) -> Probes:
    plan = made.plan
    found = {}
    for number, variant in enumerate(plan.variants, start=1):
        print(f"timing {variant.name} ({number} of {len(plan.variants)}) ...", file=sys.stderr)  # noqa: T201
        found[variant.name] = probe(variant, plan.training, plan.split, device)
    return found
