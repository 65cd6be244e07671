"""What to type after a plan: the next command, and how a study of the noise goes on."""

import shlex
from pathlib import Path

from yolox_attn.stats.judgement import Terms
from yolox_attn.study.plan import Plan, Training

STUDY = "python tools/study.py"


def next_lines(folder: Path, plan: Plan) -> list[str]:
    """Say what to type next; after a study of the noise alone, also how to go on with its runs."""
    place = shlex.quote(str(folder))
    lines = ["next:", f"  {STUDY} run {place}", f"  {STUDY} report {place}"]
    return [*lines, *after_report(folder, plan)]


def after_report(folder: Path, plan: Plan) -> list[str]:
    """Say how a study of the noise goes on; nothing where the study has blocks."""
    if len(plan.variants) > 1:
        return []
    return ["then, to go on with these runs as the baseline:", *go_on(folder, plan)]


def go_on(folder: Path, plan: Plan) -> list[str]:
    """Return the commands that make a study of blocks whose baseline runs are those in `folder`."""
    runs = shlex.quote(str(folder / "runs" / plan.baseline.name))
    return [
        f"  {STUDY} plan NEW --variants BLOCK ... --controls placebo {_words(plan, folder)}",
        f"  {STUDY} add NEW {runs}/seed*",
    ]


def _words(plan: Plan, folder: Path) -> str:
    """Return the options that plan the same baseline again, with the noise that was measured."""
    training, terms = plan.training, plan.terms
    usual = Terms()
    counted = plan.seeds == tuple(range(len(plan.seeds)))
    words = ["--baseline", str(plan.baseline.exp_file or plan.baseline.exp_name), "--seeds"]
    words += [str(len(plan.seeds))] if counted else map(str, plan.seeds)
    words += [f"--{training.precision}"] if training.precision != Training.precision else []
    options = {
        "--data": (training.data, None),
        "-b": (training.batch_size, None),
        "--accumulate": (training.accumulate, 1),
        "-c": (training.checkpoint, None),
        "--threads": (training.threads, 1),
        "--split": (plan.split, "val"),
        "--sesoi": (terms.sesoi, usual.sesoi),
        "--alpha": (terms.alpha, usual.alpha),
        "--replicates": (terms.replicates, usual.replicates),
        "--groups": (plan.groups, None),
    }
    for flag, (value, default) in options.items():
        words += [] if value == default else [flag, str(value)]
    return shlex.join([*words, "--noise", str(folder), *training.overrides])
