import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from planned import make_plan, write_exp

from yolox_attn import report as reports
from yolox_attn.cli import study
from yolox_attn.cli import study as planning
from yolox_attn.cli.study import main
from yolox_attn.errors import InputError
from yolox_attn.study.estimate import Probe
from yolox_attn.study.plan import read_plan


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An Exp file, in the folder that the command is called in."""
    monkeypatch.chdir(tmp_path)
    return Path(write_exp(tmp_path, "base")).name


@pytest.fixture
def words(base: str, drawn: Path) -> list[str]:
    """A study that can be planned, without its probe."""
    return [
        "plan",
        "s",
        "--baseline",
        base,
        "--data",
        str(drawn),
        "--no-probe",
        "--variants",
        "cam",
    ]


def test_a_plan_is_written_and_told(
    words: list[str], capsys: pytest.CaptureFixture[str], drawn: Path
) -> None:
    options = ["--controls", "placebo", "--seeds", "3", "-b", "4", "max_epoch", "6"]
    assert main([*words, *options]) == 0
    out, err = capsys.readouterr()
    plan = read_plan(Path("s"))
    assert [each.name for each in plan.variants] == ["base", "base_placebo", "base_cam"]
    assert (plan.seeds, plan.training.batch_size) == ((0, 1, 2), 4)
    assert plan.training.overrides == ("max_epoch", "6")
    assert plan.command == shlex.join(["python", "tools/study.py", *words, *options])
    assert out.startswith("9 runs: 3 variants, seeds 0, 1, 2\n")
    assert f"plan: s/plan.json, sha256 {plan.hash}\nnext:\n  python tools/study.py run s\n" in out
    assert "time: not estimated" in out
    assert err == ""


def test_several_seeds_are_the_seeds_themselves(words: list[str]) -> None:
    assert main([*words, "--seeds", "3", "5", "8", "--sesoi", "0.25"]) == 0
    plan = read_plan(Path("s"))
    assert (plan.seeds, plan.terms.sesoi) == ((3, 5, 8), 0.25)


def test_overrides_behind_a_list_need_a_mark(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "max_epoch", "6"]) == 2
    assert "--variants max_epoch: no Exp file" in capsys.readouterr().err
    assert main([*words, "--", "max_epoch", "6"]) == 0
    assert read_plan(Path("s")).training.overrides == ("max_epoch", "6")


def test_negative_values_of_overrides(words: list[str]) -> None:
    assert main([*words, "-b", "2", "degrees", "-5.0"]) == 0
    assert read_plan(Path("s")).training.overrides == ("degrees", "-5.0")


def test_precision_threads_and_noise_reach_the_plan(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--bf16", "--threads", "2", "--accumulate", "3", "--noise", "0.6"]) == 0
    plan = read_plan(Path("s"))
    training = plan.training
    assert (training.precision, training.threads, training.accumulate) == ("bf16", 2, 3)
    assert plan.expected["noise_prior"] == 0.6
    assert plan.expected["detectable"] == pytest.approx(1.96, abs=0.01)
    assert "SD 0.60 AP, 3 seeds find four times in five" in capsys.readouterr().out


def test_each_variant_is_timed_where_the_user_says(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def timed(variant, training, split, device):
        asked.append((variant.name, split, device))
        return Probe(1800, 1.0, 0.0, 1800, 0, None, "cpu")

    monkeypatch.setattr(planning, "probe", timed)
    monkeypatch.setattr(planning, "usable_cores", lambda: 4)
    monkeypatch.setattr(planning.os, "getloadavg", lambda: (4.5, 0, 0), raising=False)
    words.remove("--no-probe")
    assert main([*words, "--device", "cpu", "--threads", "2"]) == 0
    assert asked == [("base", "val", "cpu"), ("base_cam", "val", "cpu")]
    out, err = capsys.readouterr()
    assert "time: about 6.0 hours on cpu (a run 60 minutes); with --max-parallel 2 about 3.0" in out
    assert "note: the machine was busy (load 4.5): alone the runs take less time" in out
    assert "timing base_cam (2 of 2) ..." in err
    assert read_plan(Path("s")).expected["seconds"] == 6 * 3600


def test_a_probe_that_fails_does_not_fail_the_plan(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(planning, "probe", lambda *given: "out of memory")
    words.remove("--no-probe")
    assert main(words) == 0
    assert "note: no estimate for base_cam: out of memory" in capsys.readouterr().out
    assert read_plan(Path("s")).expected["seconds"] is None


def test_noise_plans_the_baseline_alone_and_offers_to_go_on(
    base: str, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["noise", "floor", "--baseline", base, "--data", str(drawn), "--no-probe"]
    assert main([*words, "--seeds", "5"]) == 0
    assert len(read_plan(Path("floor")).variants) == 1
    out = capsys.readouterr().out
    assert out.startswith("A study of the noise: the baseline alone")
    assert "sqrt(2) s_seed" in out
    assert "study.py plan NEW --variants BLOCK" in out
    assert "study.py add NEW floor/runs/base/seed*" in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--sesoi", "0"], "the smallest effect worth having must be above 0 AP, got 0.0"),
        (["--sesoi", "nan"], "the smallest effect worth having must be above 0 AP"),
        (["--alpha", "5"], "alpha"),
        (["--alpha", "0"], "alpha"),
        (["--replicates", "10"], "10 resamples are too few"),
        (["--seeds", "0"], "--seeds 0: how many, at least 1"),
        (["--seeds", "-2"], "--seeds -2: how many, at least 1"),
        (["--seeds", "1", "2", "1"], "--seeds: 1 stands there twice"),
        (["--seeds", "1", "-2"], "--seeds -2: a seed is from 0"),
        (["--fp16", "--bf16"], "--fp16 and --bf16 together: choose one"),
        (["--noise", "0"], "--noise 0: a standard deviation in AP points"),
        (["--noise", "nowhere"], "--noise nowhere: neither a number nor a study"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--variants", "camm"], "--variants camm: no Exp file"),
        (["--variants", "cam", "cam"], "base_cam stands 2 times"),
        (["--groups", "video"], "5 images have no 'video' in the truth"),
        (["-c", "nowhere.pth"], "no checkpoint nowhere.pth"),
        (["--data", "nowhere"], "no data folder"),
        (["--split", "test"], "instances_test2017.json"),
        (["-b", "0"], "--batch-size 0: at least 1"),
        (["-b", "4", "attention", "se"], "override attention: a study sets it by itself"),
        (["-b", "4", "max_epoch", "5", "--seeds", "3"], "--seeds stands behind an override"),
        (["-b", "4", "patience", "3"], "patience 3: a run that its validation split ends is not"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    words: list[str], options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert told in err
    assert err.count("\n") == 1
    assert not Path("s").exists()


def test_half_precision_off_cuda_is_refused_before_hours(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words.remove("--no-probe")
    assert main([*words, "--fp16", "--device", "cpu"]) == 2
    assert "--fp16 needs a CUDA device" in capsys.readouterr().err


def test_a_folder_with_a_plan_is_left_alone(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(words) == 0
    monkeypatch.setattr(planning, "make_plan", None)  # it is refused before anything is built
    before = Path("s/plan.json").read_bytes()
    assert main(words) == 2
    assert "s/plan.json is there already" in capsys.readouterr().err
    assert Path("s/plan.json").read_bytes() == before
    Path("file").touch()
    assert main(["plan", "file", *words[2:]]) == 2
    assert "file is a file; a study is a folder" in capsys.readouterr().err


def test_nothing_to_compare_is_refused(
    base: str, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "s", "--baseline", base, "--data", str(drawn)]) == 2
    assert "nothing to compare: give --variants" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--baseline", "yolox-nano"]])
def test_the_folder_comes_first(words: list[str]) -> None:
    with pytest.raises(InputError, match="the study's folder comes first"):
        planning.plan_study("plan", words)


def test_help_names_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("plan", "noise"):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        out = capsys.readouterr().out
        assert out.startswith(f"usage: study {name} STUDY --baseline EXP")
        assert ("--variants" in out) == (name == "plan")


@pytest.mark.slow
def test_planned_and_timed_for_real(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words.remove("--no-probe")
    assert main(words) == 0
    assert re.search(r"time: about .* on cpu .*a run", capsys.readouterr().out)
    assert set(read_plan(Path("s")).expected["seconds_of_a_run"]) == {"base", "base_cam"}
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["plan.json"]
    shutil.rmtree(tmp_path / "s")


Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def standing_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Calls]:
    """A function that puts a function of one's own where a sub-command finds the real one."""

    def put(module: str, name: str, answer: object) -> Calls:
        calls: Calls = []

        def noted(*args: Any, **options: Any) -> object:
            calls.append((args, options))
            return answer

        found = sys.modules.get(f"yolox_attn.study.{module}")
        if found is None:
            found = ModuleType(module)
            monkeypatch.setitem(sys.modules, f"yolox_attn.study.{module}", found)
        monkeypatch.setattr(found, name, noted, raising=False)
        return calls

    return put


def test_run_passes_its_options_on_and_gives_back_the_exit_code(
    standing_in: Callable[..., Calls],
) -> None:
    calls = standing_in("execute", "run_study", 75)
    assert main(["run", "s", "--max-parallel", "2", "--device", "cpu", "--retry"]) == 75
    assert main(["run", "s"]) == 75
    assert calls == [
        ((Path("s"),), {"parallel": 2, "device": "cpu", "retry": True}),
        ((Path("s"),), {"parallel": None, "device": "auto", "retry": False}),
    ]


def test_status_prints_what_it_is_told(
    standing_in: Callable[..., Calls], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = standing_in("status", "status_text", "3 of 9 runs")
    assert main(["status", "s"]) == 0
    assert calls == [((Path("s"),), {})]
    assert capsys.readouterr().out == "3 of 9 runs\n"


def test_report_prints_the_table_and_tells_the_rest_beside_it(
    standing_in: Callable[..., Calls],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import yolox_attn.study.reporting  # noqa: F401 - stays the real one, but for one function

    plan = make_plan()
    standing_in("plan", "read_plan", plan)
    calls = standing_in("reporting", "report_study", "a comparison")
    monkeypatch.setattr(reports, "as_text", lambda comparison: f"table of {comparison}")
    words = ["report", "s", "-o", "out", "--no-latency", "--repeats", "5", "--device", "cpu"]
    assert main(words) == 0
    ((folder, look, tell),) = [args for args, _ in calls]
    assert folder == Path("s")
    assert (look.output, look.latency, look.repeats, look.device) == (Path("out"), False, 5, "cpu")
    tell("measuring ...")
    assert capsys.readouterr() == ("table of a comparison\n", "measuring ...\n")
    standing_in("plan", "read_plan", replace(plan, variants=plan.variants[:1]))
    assert main(["report", "s"]) == 0
    said = capsys.readouterr().out
    assert "python tools/study.py add NEW s/runs/yolox_demo/seed*" in said


def test_add_prints_a_line_a_run(
    standing_in: Callable[..., Calls], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = standing_in("adding", "add_runs", ["one", "two"])
    assert main(["add", "s", "a/seed0", "a/seed1"]) == 0
    assert calls == [((Path("s"), [Path("a/seed0"), Path("a/seed1")]), {})]
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "{tmp}"], "is no study: it has no plan.json"),
        (["status", "{tmp}"], "is no study: it has no plan.json"),
        (["report", "{tmp}"], "is no study: it has no plan.json"),
        (["add", "{tmp}", "run"], "is no study: it has no plan.json"),
        (["run", "{tmp}", "--max-parallel", "0"], "--max-parallel 0: at least 1"),
        (["report", "{tmp}", "--repeats", "1"], "--repeats 1: at least 2"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(tmp=tmp_path) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["plam"], ["plam", "s"]])
def test_an_unknown_command_is_refused_with_the_choices(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "plan" in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in study.ACTIONS)
