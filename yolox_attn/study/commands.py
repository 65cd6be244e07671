"""What is typed for a run of the study, and whether the plan's files are still what they were."""

import shlex
import sys
from pathlib import Path

from yolox_attn.console import called_as
from yolox_attn.core.checkpoint import LATEST_NAME, newest_checkpoint
from yolox_attn.device import pick_device
from yolox_attn.errors import InputError
from yolox_attn.runs.codec import file_hash
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.plan import Plan, Training
from yolox_attn.study.planned_run import RESUMABLE, RUNS, PlannedRun, record_of, state_of

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


def next_command(plan: Plan, job: PlannedRun, device: str) -> list[str]:
    """Return the command of what the run needs next."""
    make = evaluate_command if work_of(job) == "evaluate" else train_command
    return make(plan, job, device)


def train_command(plan: Plan, job: PlannedRun, device: str) -> list[str]:
    """Return the command that trains the run, from its start or from where it was saved."""
    training, how = plan.training, how_to_start(job)
    command = [*CLI, "train", *_experiment(plan, job, device)]
    command += ["--accumulate", str(training.accumulate), "--save-minutes", str(SAVE_MINUTES)]
    command += [how] if how else []
    if training.checkpoint is not None and how != "--resume":  # there -c names what goes on
        command += ["-c", training.checkpoint]
    return [*command, *_overrides(plan, job)]


def evaluate_command(plan: Plan, job: PlannedRun, device: str) -> list[str]:
    """Return the command that evaluates the last EMA weights of the run on the test split."""
    command = [*CLI, "eval", *_experiment(plan, job, device), "--test"]
    command += ["-c", str(job.folder / LATEST_NAME), "--output", str(job.evaluation)]
    return [*command, *_overrides(plan, job)]


def how_to_start(job: PlannedRun) -> str:
    """Return "--resume", "--overwrite", or "" where there is no run yet.

    One that failed starts anew, unless it was its resuming that failed, for a reason that is not
    in its checkpoints.

    Raises:
        InputError: as `record_of`; there may be a finished run, which nothing must overwrite.
    """
    record = record_of(job)
    if record is None:
        return ""
    if record.state not in RESUMABLE or not any(job.folder.glob("*_ckpt.pth")):
        return "--overwrite"
    if state_of(job) == "failed":
        try:
            newest_checkpoint(job.folder, pick_device("cpu"))
        except InputError:
            return "--overwrite"
    return "--resume"


def check_unchanged(plan: Plan) -> None:
    """Refuse to run, to add to or to judge what is not what was planned any more.

    Raises:
        InputError: a file that the plan binds (Exp file, annotations, csv of groups, checkpoint,
            the user's own module) is gone, cannot be read, or is another.
    """
    training = plan.training
    files = [(each.exp_file, each.exp_sha256) for each in plan.variants]
    files += [(plan.truth, plan.truth_sha256), (training.checkpoint, training.checkpoint_sha256)]
    files += [(plan.groups, plan.groups_sha256), *plan.data_sha256.items(), *plan.sources.items()]
    for file, planned in dict.fromkeys(files):
        if file is None or planned is None:
            continue
        try:
            found = file_hash(Path(file))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise InputError(
                f"{file} is gone; the study was planned with it: put it back"
            ) from error
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}") from error
        if found != planned:
            raise InputError(
                f"{file} was changed after the study was planned (sha256 {found[:12]}, planned "
                f"{planned[:12]}), and would make another study of it: put it back, or plan anew"
            )


def _experiment(plan: Plan, job: PlannedRun, device: str) -> list[str]:
    training, variant = plan.training, job.variant
    words = ["-f", variant.exp_file] if variant.exp_file else ["-n", str(variant.exp_name)]
    words += ["-expn", job.key, "--seed", str(job.seed), "-b", str(training.batch_size)]
    words += ["--device", device]
    words += [] if training.precision == "fp32" else [f"--{training.precision}"]
    words += [] if training.data is None else ["--data", training.data]
    return words


def _overrides(plan: Plan, job: PlannedRun) -> list[str]:
    runs = job.log.parents[1] / RUNS
    return [*job.variant.overrides, *plan.training.overrides, "output_dir", str(runs)]


def next_commands(folder: Path, plan: Plan) -> list[str]:
    """Say what to type next; after a study of the noise alone, also how to go on with its runs."""
    return [
        "next:",
        *(f"  {study_command(name, folder)}" for name in ("run", "report")),
        *commands_after_report(folder, plan),
    ]


def study_command(name: str, folder: Path) -> str:
    """Return what is typed for `study NAME FOLDER`, as this program was called."""
    return f"{called_as('study')} {name} {shlex.quote(str(folder))}"


def commands_after_report(folder: Path, plan: Plan) -> list[str]:
    """Say how a study of the noise goes on; nothing where the study has blocks."""
    if len(plan.variants) > 1:
        return []
    return ["then, to go on with these runs as the baseline:", *commands_after_noise(folder, plan)]


def commands_after_noise(folder: Path, plan: Plan) -> list[str]:
    """Return the commands that make a study of blocks whose baseline runs are those in `folder`."""
    study, words = called_as("study"), _words(plan, folder)
    runs = shlex.quote(str(folder / RUNS / plan.baseline.name))
    return [
        f"  {study} plan NEW --variants BLOCK ... --controls placebo {words}",
        f"  {study} add NEW {runs}/seed*",
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
