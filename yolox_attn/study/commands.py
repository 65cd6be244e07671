"""The commands of a study: what is run for each of its runs, and what its user types next."""

import shlex
import sys
from pathlib import Path

from yolox_attn.console import called_as
from yolox_attn.core.checkpoint import LATEST_NAME, newest_checkpoint
from yolox_attn.device import pick_device
from yolox_attn.errors import InputError
from yolox_attn.stats.terms import Terms
from yolox_attn.study.plan import RUNS, Plan, Training
from yolox_attn.study.planned_run import PlannedRun, record_of, state_of

CLI = (sys.executable, "-m", "yolox_attn.cli")
SAVE_MINUTES = 15  # the most that a killed run has to do again


def work_of(job: PlannedRun) -> str:
    """Return what an unfinished run needs next: "train" or "evaluate".

    Raises:
        InputError: as `record_of`; there may be a finished run, which nothing must overwrite.
    """
    record = record_of(job)
    trained = record is not None and record.state == "finished"
    return "evaluate" if trained and job.evaluation is not None else "train"


def how_to_start(job: PlannedRun) -> str:
    """Return "--resume", "--overwrite", or "" where there is no run yet.

    One that failed goes on, too, if it has a checkpoint that can be read: nothing that was trained
    is thrown away.

    Raises:
        InputError: as `record_of`; there may be a finished run, which nothing must overwrite.
    """
    record = record_of(job)
    if record is None:
        return ""
    if not any(job.folder.glob("*_ckpt.pth")):
        return "--overwrite"
    if state_of(job) == "failed":
        try:
            newest_checkpoint(job.folder, pick_device("cpu"))
        except InputError:
            return "--overwrite"
    return "--resume"


def next_command(
    plan: Plan, job: PlannedRun, device: str, logger: str = "tensorboard"
) -> list[str]:
    """Return the command of what the run needs next.

    It is trained from its start or from where it was saved; or its last EMA weights are evaluated
    on the test split. `logger` is -l of a training.

    Raises:
        InputError: as `record_of`.
    """
    training, variant = plan.training, job.variant
    evaluated = work_of(job) == "evaluate"
    words = [*CLI, "eval" if evaluated else "train"]
    words += ["-f", variant.exp_file] if variant.exp_file else ["-n", str(variant.exp_name)]
    words += ["-expn", job.key, "--seed", str(job.seed), "-b", str(training.batch_size)]
    words += ["--device", device]
    words += [] if training.precision == "fp32" else [f"--{training.precision}"]
    words += [] if training.data is None else ["--data", training.data]
    if evaluated:
        checkpoint = str(job.folder / LATEST_NAME)
        words += ["--test", "-c", checkpoint, "--output", str(job.evaluation)]
    else:
        words += [*_training_words(training, how_to_start(job)), *_logger_words(job, logger)]
    return [*words, *variant.overrides, *training.overrides, "output_dir", str(job.study / RUNS)]


def _training_words(training: Training, how: str) -> list[str]:
    words = ["--accumulate", str(training.accumulate), "--save-minutes", str(SAVE_MINUTES)]
    words += [how] if how else []
    if training.checkpoint is not None and how != "--resume":  # there -c names what goes on
        words += ["-c", training.checkpoint]
    return words


def _logger_words(job: PlannedRun, logger: str) -> list[str]:
    """Return the words by which a logger groups the runs of a study."""
    words = [] if logger == "tensorboard" else ["-l", logger]
    if logger == "wandb":
        words += ["wandb-group", job.study.name, "wandb-job_type", job.variant.name]
        words += ["wandb-tags", f"seed{job.seed}"]
    return words


def study_command(name: str, folder: Path) -> str:
    """Return what is typed for `study NAME FOLDER`, as this program was called."""
    return f"{called_as('study')} {name} {shlex.quote(str(folder))}"


def next_commands(folder: Path, plan: Plan) -> list[str]:
    """Say what to type next; after a study of the noise alone, also how to go on with its runs."""
    return [
        "next:",
        *(f"  {study_command(name, folder)}" for name in ("run", "report")),
        *commands_after_report(folder, plan),
    ]


def commands_after_report(folder: Path, plan: Plan) -> list[str]:
    """Say how the baseline runs of a study of the noise become those of a study of blocks.

    Nothing where the study has blocks.
    """
    if len(plan.variants) > 1:
        return []
    study, words = called_as("study"), shlex.join(_baseline_words(plan, folder))
    runs = shlex.quote(str(folder / RUNS / plan.baseline.name))
    return [
        "then, to go on with these runs as the baseline:",
        f"  {study} plan NEW --variants BLOCK ... --controls placebo {words}",
        f"  {study} add NEW {runs}/seed*",
    ]


def _baseline_words(plan: Plan, folder: Path) -> list[str]:
    """Return the options that plan the same baseline again, with the noise that was measured."""
    training, terms, usual = plan.training, plan.terms, Terms()
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
    mark = ["--"] if training.overrides else []  # else they were taken for further studies
    return [*words, "--noise", str(folder), *mark, *training.overrides]
