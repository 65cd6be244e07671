import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import torch
from fake_study import make_study
from planned import make_plan
from run_folders import make_record
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from yolox_attn.cli import eval as evaluation
from yolox_attn.cli import train
from yolox_attn.cli.study import plan_parser
from yolox_attn.commands.common import build_exp
from yolox_attn.commands.study import make_request
from yolox_attn.core.boards import open_board
from yolox_attn.core.options import wandb_words
from yolox_attn.errors import InputError
from yolox_attn.runs import write_record
from yolox_attn.stats.terms import Terms
from yolox_attn.study.commands import how_to_start, next_command, next_commands, work_of
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.planned_run import Attempt, PlannedRun, planned_runs, record_attempt

FULL = Training(
    data=None,
    batch_size=4,
    accumulate=2,
    precision="bf16",
    checkpoint="start.pth",
    overrides=("max_epoch", "7"),
)


def leave(job: PlannedRun, **changes: object) -> None:
    write_record(job.folder, dataclasses.replace(make_record("any", 0, 0.4), **changes))


def save(job: PlannedRun, content: object = None) -> None:
    torch.save(content, job.folder / "latest_ckpt.pth")


def first(tmp_path: Path, plan: Plan) -> PlannedRun:
    return planned_runs(plan, tmp_path)[0]


def test_the_train_command_says_everything_that_the_plan_says(tmp_path: Path) -> None:
    plan = make_study(tmp_path, training=FULL)
    placebo = planned_runs(plan, tmp_path)[4]
    words = next_command(plan, placebo, "cpu")
    assert words[1:4] == ["-m", "yolox_attn.cli", "train"]
    args = train.make_parser().parse_args(words[4:])
    assert (args.batch_size, args.accumulate, args.bf16, args.fp16) == (4, 2, True, False)
    assert (args.ckpt, args.device, args.seed) == ("start.pth", "cpu", 1)
    assert not (args.resume or args.overwrite)
    exp = build_exp(args)
    assert (exp.attention, exp.max_epoch) == ("placebo", 7)
    assert Path(exp.output_dir, args.experiment_name) == placebo.folder


def test_a_logger_groups_the_runs_of_a_study(tmp_path: Path) -> None:
    training = dataclasses.replace(FULL, overrides=("wandb-project", "mine", "max_epoch", "7"))
    plan = make_study(tmp_path / "my study", training=training)
    placebo = planned_runs(plan, tmp_path / "my study")[4]
    plain = next_command(plan, placebo, "cpu")
    assert next_command(plan, placebo, "cpu", logger="tensorboard") == plain
    assert "-l" not in plain
    args = train.make_parser().parse_intermixed_args(
        next_command(plan, placebo, "cpu", logger="wandb")[4:]
    )
    assert args.logger == "wandb"
    assert wandb_words(args.opts) == {
        "group": "my study", "job_type": "placebo", "tags": "seed1", "project": "mine"
    }  # fmt: skip
    assert build_exp(args).max_epoch == 7
    nothing = next_command(plan, placebo, "cpu", logger="none")
    at = nothing.index("-l")
    assert [*nothing[:at], *nothing[at + 2 :]] == plain
    assert nothing[at + 1] == "none"


def test_an_evaluation_has_no_logger(tmp_path: Path) -> None:
    plan = make_study(tmp_path, split="test", training=FULL)
    leave(job := first(tmp_path, plan), state="finished")
    assert next_command(plan, job, "cpu", logger="wandb") == next_command(plan, job, "cpu")


def test_tensorboard_finds_every_run_of_a_study_under_its_name(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(0,))
    for job in planned_runs(plan, tmp_path):
        board = open_board("tensorboard", job.folder, make_record("any", 0, None), {})
        board.log({"epoch": 1, "AP": 0.5})
        board.close(0)
    shown = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload().Runs()
    assert {name: tags["scalars"] for name, tags in shown.items()} == {
        f"runs/{name}/seed0/tensorboard": ["epoch/AP"]
        for name in ("yolox_demo", "placebo", "yolox_demo_cam")
    }


def test_the_checkpoint_of_the_start_is_not_what_a_run_goes_on_from(tmp_path: Path) -> None:
    plan = make_study(tmp_path, training=FULL)
    leave(job := first(tmp_path, plan), state="interrupted")
    save(job)
    args = train.make_parser().parse_args(next_command(plan, job, "cpu")[4:])
    assert args.resume
    assert args.ckpt is None


def test_an_exp_file_is_given_as_a_file(tmp_path: Path) -> None:
    variant = PlannedVariant("mine", "baseline", "mine.py", None)
    plan = make_study(tmp_path, variants=(variant,))
    words = next_command(plan, first(tmp_path, plan), "cpu")
    assert words[4:6] == ["-f", "mine.py"]
    assert "-n" not in words


def test_the_last_weights_are_judged_on_the_test_split(tmp_path: Path) -> None:
    plan = make_study(tmp_path, split="test", training=FULL)
    job = first(tmp_path, plan)
    assert work_of(job) == "train"
    leave(job, state="finished")
    assert work_of(job) == "evaluate"
    words = next_command(plan, job, "cpu")
    assert words[3] == "eval"
    args = evaluation.make_parser().parse_args(words[4:])
    assert args.test
    assert Path(args.ckpt) == job.folder / "latest_ckpt.pth"
    assert args.output == job.folder / "eval_test"
    assert (args.batch_size, args.bf16) == (4, True)


@pytest.mark.parametrize(
    ("state", "saved", "how"),
    [
        (None, False, ""),
        ("interrupted", True, "--resume"),
        ("killed", True, "--resume"),
        ("interrupted", False, "--overwrite"),
        ("failed", True, "--overwrite"),
    ],
)
def test_how_a_run_starts(tmp_path: Path, state: str | None, saved: bool, how: str) -> None:
    job = first(tmp_path, make_study(tmp_path))
    if state is not None:
        leave(job, state=state)
    if saved:
        save(job)
    assert how_to_start(job) == how


def test_a_run_that_cannot_be_read_gets_no_command(tmp_path: Path) -> None:
    """Whatever the command, it could overwrite a finished run."""
    job = first(tmp_path, plan := make_study(tmp_path))
    job.folder.mkdir(parents=True)
    (job.folder / "run.json").write_text('{"schema": 99}')
    for ask in (work_of, how_to_start, lambda job: next_command(plan, job, "cpu")):
        with pytest.raises(InputError, match="schema 99"):
            ask(job)


def test_a_failed_run_goes_on_from_a_sound_checkpoint(tmp_path: Path) -> None:
    job = first(tmp_path, make_study(tmp_path))
    leave(job, state="failed")
    save(job, {"model": {"x": torch.ones(1)}, "optimizer": {}, "start_epoch": 1})
    assert how_to_start(job) == "--resume"


def test_a_failed_resuming_starts_anew_only_without_a_sound_checkpoint(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    record_attempt(tmp_path, Attempt("yolox_demo", 0, "train", "then", "now", 2, "no data"))
    leave(job := first(tmp_path, plan), state="interrupted")
    save(job, {"model": {"x": torch.ones(1)}, "optimizer": {}, "start_epoch": 1})
    assert how_to_start(job) == "--resume"
    (job.folder / "latest_ckpt.pth").write_bytes(b"cut")
    assert how_to_start(job) == "--overwrite"


@pytest.mark.parametrize(
    ("program", "study"),
    [
        ("tools/study.py", "python tools/study.py"),
        ("../main/tools/study.py", "python ../main/tools/study.py"),
        ("/opt/bin/yolox-attn", "yolox-attn study"),
        ("/lib/yolox_attn/cli/__main__.py", "python -m yolox_attn.cli study"),
        ("", "yolox-attn study"),
    ],
)
def test_what_to_type_next_is_as_the_program_was_called(
    monkeypatch: pytest.MonkeyPatch, program: str, study: str
) -> None:
    monkeypatch.setattr("sys.argv", [program, "plan"])
    assert next_commands(Path("my study"), make_plan()) == [
        "next:",
        f"  {study} run 'my study'",
        f"  {study} report 'my study'",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seeds": (3, 5, 8), "split": "test", "groups": "scene"},
        {"terms": Terms(sesoi=0.3, alpha=0.1, replicates=500)},
        {"training": Training("a b", 4, 2, "bf16", "w.pth", None, 2, ("degrees", "-5"))},
    ],
)
def test_going_on_from_the_noise_plans_the_same_runs(changes: dict[str, object]) -> None:
    """Whoever types the commands that are offered gets the baseline that was measured."""
    alone = PlannedVariant("yolox_demo", "baseline", None, "yolox-demo")
    given: dict[str, object] = {"variants": (alone,), "seeds": (0, 1, 2), **changes}
    plan: Plan = make_plan(**given)
    *_, planning, adding = next_commands(Path("noise"), plan)
    assert adding == "  yolox-attn study add NEW noise/runs/yolox_demo/seed*"
    words = shlex.split(re.sub(r"BLOCK \.\.\.", "cam", planning))
    assert words[:4] == ["yolox-attn", "study", "plan", "NEW"]
    request = make_request(plan_parser("plan").parse_args(["--study", *words[3:]]), "typed")
    assert (request.baseline, request.variants) == ("yolox-demo", ("cam",))
    assert request.noise == ("noise",)
    assert (request.training, request.seeds) == (plan.training, plan.seeds)
    assert (request.terms, request.split, request.groups) == (plan.terms, plan.split, plan.groups)
