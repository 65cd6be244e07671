import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_study import make_study
from planned import write_exp
from trained_study import Trained

from yolox_attn.cli import study
from yolox_attn.cli.study import main
from yolox_attn.commands import study as commands
from yolox_attn.study.plan import read_plan, write_plan


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An Exp file, in the folder that the command is called in."""
    monkeypatch.chdir(tmp_path)
    return Path(write_exp(tmp_path, "base")).name


@pytest.fixture
def words(base: str, drawn: Path) -> list[str]:
    """A study that can be planned, without its probe."""
    given = ["plan", "s", "--baseline", base, "--data", str(drawn), "--no-probe"]
    return [*given, "--variants", "cam"]


def test_a_plan_is_written_and_printed(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--controls", "placebo", "--seeds", "3", "-b", "4", "max_epoch", "6"]
    assert main([*words, *options]) == 0
    out, err = capsys.readouterr()
    plan = read_plan(Path("s"))
    assert [each.name for each in plan.variants] == ["base", "base_placebo", "base_cam"]
    assert (plan.seeds, plan.training.batch_size) == ((0, 1, 2), 4)
    assert plan.training.overrides == ("max_epoch", "6")
    assert plan.command == shlex.join(["yolox-attn", "study", *words, *options])
    assert out.startswith("9 runs: 3 variants, seeds 0, 1, 2\n")
    assert f"plan: s/plan.json, sha256 {plan.hash}\nnext:\n  yolox-attn study run s\n" in out
    assert "time: not estimated" in out
    assert err == ""


def test_every_option_reaches_the_plan(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--seeds", "3", "5", "8", "--sesoi", "0.25", "--alpha", "0.1", "--replicates", "500"]
    options += ["--bf16", "--threads", "2", "--accumulate", "3", "--noise", "0.6"]
    assert main([*words, *options, "-b", "2", "degrees", "-5.0"]) == 0
    plan = read_plan(Path("s"))
    training, terms = plan.training, plan.terms
    assert plan.seeds == (3, 5, 8)
    assert (terms.sesoi, terms.alpha, terms.replicates) == (0.25, 0.1, 500)
    assert (training.precision, training.threads, training.accumulate) == ("bf16", 2, 3)
    assert training.overrides == ("degrees", "-5.0")
    assert plan.expected["paired_sd"] == 0.6
    assert "SD 0.60 AP, 3 seeds find four times in five" in capsys.readouterr().out


def test_a_recipe_is_printed_and_becomes_overrides_of_the_plan(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("max_epoch", "6", "no_aug_epochs", "0")
    assert main([*words, "--recipe", "scratch", *given]) == 0
    overrides = read_plan(Path("s")).training.overrides
    assert overrides[:4] == ("warmup_epochs", "5", "basic_lr_per_img", "0.00015625")
    assert overrides[-4:] == given
    assert "recipe scratch: warmup_epochs 5, basic_lr" in capsys.readouterr().out


def test_looks_are_numbers_of_seeds_the_usual_ones_by_default(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--looks", "3", "5"]) == 0
    plan = read_plan(Path("s"))
    assert (plan.seeds, plan.stages.looks) == ((0, 1, 2, 3, 4), (3, 5))
    assert "looks: at 3, 5 seeds a side; p below 0.0180, 0.0" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*words, "--looks", "3", "5", "--seeds", "5"])
    assert "not allowed with argument" in capsys.readouterr().err
    parser = study.plan_parser("plan")
    args = parser.parse_args(["--study", "t", "--baseline", "x", "--variants", "cam", "--looks"])
    assert commands.make_request(args, "").looks == (4, 7, 10)


def test_overrides_behind_a_list_need_a_mark(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "max_epoch", "6"]) == 2
    assert "--variants max_epoch: no Exp file" in capsys.readouterr().err
    assert main([*words, "--", "max_epoch", "6"]) == 0
    assert read_plan(Path("s")).training.overrides == ("max_epoch", "6")


def test_noise_plans_the_baseline_alone_and_offers_to_go_on(
    base: str, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["noise", "aa", "--baseline", base, "--data", str(drawn), "--no-probe"]
    assert main([*words, "--seeds", "5"]) == 0
    assert len(read_plan(Path("aa")).variants) == 1
    out = capsys.readouterr().out
    assert out.startswith("A study of the noise: the baseline alone")
    assert "sqrt(2) s_seed" in out
    assert "study plan NEW --variants BLOCK" in out
    assert "study add NEW aa/runs/base/seed*" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sesoi", "0"], "the smallest effect worth having must be above 0 AP, got 0.0"),
        (["--sesoi", "nan"], "the smallest effect worth having must be above 0 AP"),
        (["--alpha", "5"], "--alpha 5: must be above 0 and below 0.5"),
        (["--alpha", "0"], "--alpha 0: must be above 0 and below 0.5"),
        (["--replicates", "10"], "10 resamples are too few"),
        (["--recipe", "finetune"], "--recipe finetune needs weights to start from: -c FILE"),
        (["--seeds", "0"], "--seeds 0: how many, at least 1"),
        (["--seeds", "-2"], "--seeds -2: how many, at least 1"),
        (["--seeds", "1", "2", "1"], "--seeds: 1 is given twice"),
        (["--fp16", "--bf16"], "--fp16 and --bf16 together: choose one"),
        (["--noise", "nowhere"], "--noise nowhere: neither a number nor a study"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["-b", "4", "max_epoch"], "'max_epoch' has no value"),
        (["--size", "100"], "--size 100: must be a multiple of 32"),
        (["--size", "320", "test_size", "320,320"], "--size 320 and test_size: --size sets it"),
    ],
)
def test_mistakes_of_a_plan_are_one_line_and_leave_nothing(
    words: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("s").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan"], "study plan: the study's folder comes first"),
        (["noise", "--baseline", "yolox-nano"], "study noise: the study's folder comes first"),
        (["plan", "s", "--baseline", "yolox-nano"], "nothing to compare: give --variants"),
        *(([name, "{tmp}"], "is not a study folder: it has no plan.json")
          for name in ("run", "status", "report")),
        (["add", "{tmp}", "run"], "is not a study folder: it has no plan.json"),
        (["report", "{tmp}", "--repeats", "1"], "--repeats 1: at least 2"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(tmp=tmp_path) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_planned_and_timed_for_real(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each variant in a process of its own; what an experiment prints there is no answer."""
    write_exp(Path(), "base", "print('hello')")
    words.remove("--no-probe")
    assert main(words) == 0
    printed = capsys.readouterr()
    assert re.search(r"time: about .* on cpu .*a run", printed.out)
    assert "timing base_cam (2 of 2) ..." in printed.err
    assert set(read_plan(Path("s")).expected["seconds_of_a_run"]) == {"base", "base_cam"}
    assert [path.name for path in Path("s").iterdir()] == ["plan.json"]


def test_run_passes_its_options_on_and_gives_back_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[tuple[Path, dict[str, Any]]] = []

    def run_study(folder: Path, **options: Any) -> int:
        calls.append((folder, options))
        return 75

    monkeypatch.setattr(commands, "run_study", run_study)
    make_study(Path("s"))
    assert main(["run", "s", "--max-parallel", "2", "--device", "cpu", "--retry"]) == 75
    assert main(["run", "s"]) == 75
    assert main(["run", "s", "--leave-out-failed", "--until-look", "2", "-l", "none"]) == 75
    usual = {"parallel": None, "device": "auto", "retry": False}
    usual |= {"leave_out_failed": False, "until_look": None, "logger": "tensorboard"}
    assert calls == [
        (Path("s"), {**usual, "parallel": 2, "device": "cpu", "retry": True}),
        (Path("s"), usual),
        (Path("s"), {**usual, "leave_out_failed": True, "until_look": 2, "logger": "none"}),
    ]


def test_status_prints_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_study(tmp_path)
    assert main(["status", str(tmp_path)]) == 0
    last = f"0 of 6 runs finished, 6 missing\nnext: yolox-attn study run {tmp_path}\n"
    assert capsys.readouterr().out.endswith(last)


def test_report_prints_the_table_and_says_the_rest_on_stderr(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, plan = trained()
    out = tmp_path / "out"
    assert main(["report", str(folder), "-o", str(out), "--no-latency"]) == 0
    printed = capsys.readouterr()
    assert "yolox_nano_cam" in printed.out
    assert f"written: {out}/comparison.md" in printed.err
    assert "study add NEW" not in printed.out
    alone = tmp_path / "alone"
    write_plan(alone, replace(plan, variants=plan.variants[:1]))
    (alone / "runs").symlink_to(folder / "runs")
    assert main(["report", str(alone), "--no-latency"]) == 0
    assert f"study add NEW {alone}/runs/yolox_nano/seed*" in capsys.readouterr().out


def test_add_prints_a_line_a_run(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, plan = trained()
    write_plan(tmp_path / "new", plan)
    runs = [folder / "runs/yolox_nano_cam" / name for name in ("seed0", "seed1")]
    assert main(["add", str(tmp_path / "new"), *map(str, runs)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{run} is yolox_nano_cam seed {seed}" for seed, run in enumerate(runs)
    ]


@pytest.mark.parametrize("words", [[], ["plam"], ["plam", "s"]])
def test_an_unknown_command_is_refused_with_the_choices(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "plan" in capsys.readouterr().err


def help_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    return capsys.readouterr().out


def test_help_names_every_command_and_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    listing = help_of([], capsys)
    assert all(f"\n  {name} " in listing for name in study.ACTIONS)
    for name in ("plan", "noise"):
        text = help_of([name], capsys)
        assert text.startswith(f"usage: study {name} STUDY --baseline EXP")
        assert ("--variants" in text) == (name == "plan")
    assert "Run what is missing; may be stopped and repeated." in help_of(["run"], capsys)
