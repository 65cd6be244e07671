import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from yolox_attn.cli import demo
from yolox_attn.commands import demo as runs
from yolox_attn.exp import apply_overrides, load_exp
from yolox_attn.runs import read_record


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Train nothing and compare nothing: note what would be run."""
    noted = []
    codes = {}

    def run_one(label, command, running):
        noted.append(command)
        return codes.get(command[command.index("-n") + 1], 0)

    monkeypatch.setattr(runs, "run_one", run_one)
    monkeypatch.setattr(runs, "drawn_set", lambda: tmp_path)
    monkeypatch.setattr(demo.compare, "main", lambda argv: noted.append(argv) or 0)
    return SimpleNamespace(noted=noted, codes=codes)


def after(words, flag):
    return words[words.index(flag) + 1]


def test_baseline_and_two_variants_then_the_table(calls):
    assert demo.main(["--jobs", "1", "--seeds", "1"]) == 0
    *runs, table = calls.noted
    assert [after(run, "-n") for run in runs] == ["yolox-demo", "yolox-demo-cam", "yolox-demo-eca"]
    assert all(run[:4] == [sys.executable, "-m", "yolox_attn.cli", "train"] for run in runs)
    assert table[:3] == [
        f"YOLOX_outputs/{name}/seed0" for name in ("yolox_demo", "yolox_demo_cam", "yolox_demo_eca")
    ]


def test_schedules_are_equal_and_understood_by_the_experiments(calls):
    assert demo.main(["--epochs", "3", "--output-dir", "elsewhere"]) == 0
    *runs, table = calls.noted
    tails = [run[run.index("--device") :] for run in runs]
    assert tails[0] == tails[1] == tails[2]
    exp = load_exp(name=after(runs[0], "-n"))
    apply_overrides(exp, tails[0][2:])
    assert (exp.max_epoch, exp.output_dir) == (3, "elsewhere")
    assert exp.warmup_epochs + exp.no_aug_epochs < exp.max_epoch
    assert after(table, "-o") == "elsewhere/demo"


def test_by_default_three_short_runs_a_side_on_small_images(calls, capsys):
    assert demo.main([]) == 0
    *runs, _ = calls.noted
    assert [after(run, "--seed") for run in runs] == [*"000", *"111", *"222"]
    assert after(runs[0], "--size") == "128"
    assert after(runs[0], "max_epoch") == "4"
    assert after(runs[0], "warmup_epochs") == "2"  # a shorter one leaves some seeds at nothing


def test_its_last_lines_say_where_the_page_is_and_what_to_type_for_ones_own_data(calls, capsys):
    assert demo.main(["--output-dir", "here"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-6] == "the page: here/demo/comparison.html"
    assert lines[-4:] == [
        "  yolox-attn doctor --data DATA",
        "  yolox-attn study plan studies/mine --baseline yolox-nano --variants cam eca "
        "--controls placebo --seeds 5 --data DATA",
        "  yolox-attn study run studies/mine",
        "  yolox-attn study report studies/mine",
    ]


def test_seeds_and_blocks_of_choice(calls):
    assert demo.main(["se", "--seeds", "2", "--jobs", "1"]) == 0
    *runs, table = calls.noted
    assert [(after(run, "-n"), after(run, "--seed")) for run in runs] == [
        ("yolox-demo", "0"),
        ("yolox-demo-se", "0"),
        ("yolox-demo", "1"),
        ("yolox-demo-se", "1"),
    ]
    assert "YOLOX_outputs/yolox_demo_se/seed1" in table


@pytest.mark.parametrize(("code", "exit_code"), [(2, 2), (1, 1), (-9, 1)])
def test_a_failed_run_ends_it(calls, code, exit_code, capsys):
    calls.codes["yolox-demo-cam"] = code
    assert demo.main(["--jobs", "1"]) == exit_code
    assert all(call[0] == sys.executable for call in calls.noted)  # no table
    assert f"yolox-demo-cam/seed0 failed with exit code {code}" in capsys.readouterr().err


def test_output_is_passed_on_with_labels(capfd):
    said = {"a": "print(1); print(2)", "b": "import sys; print(3, file=sys.stderr)"}
    assert runs.run_all({k: [sys.executable, "-c", v] for k, v in said.items()}, jobs=2) == 0
    lines = capfd.readouterr().err.splitlines()
    assert sorted(lines) == ["a | 1", "a | 2", "b | 3"]


def test_the_others_end_with_the_one_that_fails():
    script = {"slow": "import time; time.sleep(60)", "bad": "raise SystemExit(3)", "later": "1"}
    commands = {label: [sys.executable, "-c", code] for label, code in script.items()}
    start = time.monotonic()
    assert runs.run_all(commands, jobs=2) == 3
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(("set_to", "seen"), [(None, "1"), ("3", "3")])
def test_one_thread_a_run_unless_the_user_says_otherwise(monkeypatch, capfd, set_to, seen):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_to:
        monkeypatch.setenv("OMP_NUM_THREADS", set_to)
    show = [sys.executable, "-c", "import os; print(os.environ['OMP_NUM_THREADS'])"]
    assert runs.run_all({"x": show}, jobs=1) == 0
    assert capfd.readouterr().err == f"x | {seen}\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["camm"], "error: unknown block 'camm'; known: acmix, attnconv, cam"),
        (["none"], "error: unknown block 'none'"),
        (["--seeds", "0"], "error: --seeds 0: at least 1"),
        (["--epochs", "-1"], "error: --epochs -1: at least 1"),
        (["--jobs", "0"], "error: --jobs 0: at least 1"),
    ],
)
def test_bad_input_is_one_line(calls, argv, message, capsys):
    assert demo.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert calls.noted == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_baseline_learns(seed, tmp_path):
    """What the drawn set promises: untrained next to nothing, trained well off both ends."""
    args = demo.make_parser().parse_args(["--device", "cpu", "--output-dir", str(tmp_path)])
    command = runs.train_command("yolox-demo", seed, args)
    assert runs.run_one("demo", command, []) == 0
    folder = Path(tmp_path, "yolox_demo", f"seed{seed}")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    first, *_, last = (row["AP"] for row in rows if "AP" in row)
    assert first < last
    assert 0.08 < last < 0.80
    assert read_record(folder).state == "finished"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["image", "-f", "x.py", "--path", "my dog.jpg"], "detect 'my dog.jpg' -c RUN_FOLDER"),
        (["video"], "detect PATH -c RUN_FOLDER"),
        (["webcam", "--camid", "0"], "detect camera:0 -c RUN_FOLDER"),
    ],
)
def test_yoloxs_demo_is_answered_with_the_line_that_does_it_here(words, line, capsys):
    assert demo.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: demo {words[0]}: ")
    assert error.endswith(f"{line}\n")
