import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from planned import make_plan

from yolox_attn import report as reports
from yolox_attn.cli import study
from yolox_attn.cli.study import main

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
