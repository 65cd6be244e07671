import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from fake_study import events, fake_command, make_study
from fake_wandb import FakeWandb
from run_folders import make_record

from yolox_attn.errors import InputError
from yolox_attn.runs import held, write_record, write_text
from yolox_attn.study.commands import work_of
from yolox_attn.study.plan import Plan, Training, read_plan
from yolox_attn.study.planned_run import PlannedRun, planned_runs, read_attempts, state_of
from yolox_attn.study.scheduler import run_study

NAMES = ("yolox_demo", "placebo", "yolox_demo_cam")
KEYS = [f"{name}/seed0" for name in NAMES]


# A process that holds a folder until its stdin ends.
HOLDER = """
import sys
from pathlib import Path
from yolox_attn.runs import hold
with hold(Path(sys.argv[1])):
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    wait_for(lambda: bool(held(folder)))
    return process


def states(folder: Path) -> list[str]:
    return [state_of(job) for job in planned_runs(read_plan(folder), folder)]


def run(folder: Path, *, parallel: int = 1, retry: bool = False, **how: str) -> int:
    """`study run`; `how` says by variant what happens to its run with seed 0."""
    command = fake_command(folder, {f"{name}/seed0": what for name, what in how.items()})
    return run_study(folder, parallel=parallel, device="cpu", retry=retry, command=command)


def wait_for(ready: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def signal_when(ready: Callable[[], bool], numbers: Sequence[signal.Signals]) -> threading.Thread:
    """Send this process signals, a tenth of a second between two, as soon as `ready`."""

    def send() -> None:
        wait_for(ready)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_all_runs_in_the_order_of_the_plan_and_none_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(tmp_path)
    assert run(tmp_path) == 0
    assert states(tmp_path) == ["finished"] * 6
    assert [line for line in events(tmp_path) if line.startswith("start")] == [
        f"start {name} {seed} threads 1" for seed in (0, 1) for name in NAMES
    ]
    lines = capsys.readouterr().err.splitlines()
    assert "[1/6] yolox_demo seed 0 finished: AP 40.0, 60 s; 5 to go, about 5.0 min" in lines[1]
    assert "6 of 6 runs finished; next: yolox-attn study report" in lines[-1]
    assert [each.code for each in read_attempts(tmp_path)] == [0] * 6
    before = events(tmp_path)
    assert run(tmp_path) == 0
    assert events(tmp_path) == before


def test_what_is_trained_is_evaluated_also_where_an_older_version_did_it(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(0,), split="test")
    first = planned_runs(plan, tmp_path)[0]
    write_record(first.folder, make_record("any", 0, 0.4))
    write_text(first.slot / "eval_test/figures.json", '{"figures": {"AP": 0.1}}')
    train = fake_command(tmp_path)

    def command(plan: Plan, job: PlannedRun, device: str) -> list[str]:
        if work_of(job) == "train":
            return train(plan, job, device)
        script = "import sys, pathlib as p; p.Path(sys.argv[1]).write_text(sys.argv[2])"
        Path(str(job.evaluation)).mkdir(exist_ok=True)
        result = '{"metrics": {"AP": 0.3}}'
        return [sys.executable, "-c", script, f"{job.evaluation}/evaluation.json", result]

    assert run_study(tmp_path, parallel=1, device="cpu", command=command) == 0
    assert [(each.variant, each.work) for each in read_attempts(tmp_path)] == [
        ("yolox_demo", "evaluate"),
        *((name, work) for name in NAMES[1:] for work in ("train", "evaluate")),
    ]


def test_as_many_at_a_time_as_asked_for(tmp_path: Path) -> None:
    make_study(tmp_path, seeds=(0,))
    for key in KEYS:
        (tmp_path / "runs" / key).mkdir(parents=True)

    def release() -> None:
        wait_for(lambda: len(events(tmp_path)) == 2)
        time.sleep(0.3)
        assert len(events(tmp_path)) == 2
        for key in KEYS:
            (tmp_path / "runs" / key / "go").touch()

    thread = threading.Thread(target=release)
    thread.start()
    assert run(tmp_path, parallel=2, **dict.fromkeys(NAMES, "wait")) == 0
    thread.join()
    assert [line.split()[0] for line in events(tmp_path)[:2]] == ["start", "start"]


def test_a_logger_that_is_not_ready_starts_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each run would fail by itself, and have to be retried."""
    FakeWandb(logged_in=False).install(monkeypatch)
    make_study(tmp_path)
    with pytest.raises(InputError, match="-l wandb: not logged in"):
        run_study(tmp_path, device="cpu", logger="wandb", command=fake_command(tmp_path))
    assert events(tmp_path) == []
    offline = Training(data=None, overrides=("wandb-mode", "offline"))
    make_study(tmp_path / "offline", seeds=(0,), training=offline)
    command = fake_command(tmp_path / "offline")
    assert run_study(tmp_path / "offline", device="cpu", logger="wandb", command=command) == 0


def test_a_logger_reaches_the_command_of_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(tmp_path, seeds=(0,))
    fake, loggers = fake_command(tmp_path), []

    def command(plan: Plan, job: PlannedRun, device: str, logger: str) -> list[str]:
        loggers.append(logger)
        return fake(plan, job, device)

    monkeypatch.setattr("yolox_attn.study.scheduler.next_command", command)
    assert run_study(tmp_path, parallel=1, device="cpu", logger="none") == 0
    assert loggers == ["none"] * 3


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("fail", "TrainingError: the loss is not finite"),
        ("refuse", "no such thing"),
        ("abort", "ended by SIGABRT"),
    ],
)
def test_a_failed_run_is_recorded_and_the_others_run(
    tmp_path: Path, how: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(tmp_path, seeds=(0,))
    assert run(tmp_path, placebo=how) == 1
    assert states(tmp_path) == ["finished", "failed", "finished"]
    log = tmp_path / "logs/placebo_seed0.log"
    printed = capsys.readouterr().err
    assert f"failed: placebo seed 0: {reason}; log: {log}" in printed
    assert "--retry" in printed.splitlines()[-1]
    failed = [each for each in read_attempts(tmp_path) if each.failed]
    assert [(each.variant, each.seed) for each in failed] == [("placebo", 0)]
    before = events(tmp_path)
    assert run(tmp_path) == 1  # not again
    assert events(tmp_path) == before
    assert run(tmp_path, retry=True) == 0
    assert states(tmp_path) == ["finished"] * 3
    assert len(events(tmp_path)) == len(before) + 2
    assert log.read_text().count("fake_run.py") == 2  # each attempt below its command


@pytest.mark.parametrize("retry", [False, True])
def test_a_run_that_cannot_be_read_is_never_started(
    tmp_path: Path, retry: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_study(tmp_path, seeds=(0,))
    assert run(tmp_path) == 0
    own, added, *_ = planned_runs(plan, tmp_path)
    newer = own.folder / "run.json"
    newer.write_text('{"schema": 99}')
    entry = {"folder": str(added.folder), "record_sha256": "of another record"}
    (tmp_path / "added.json").write_text(json.dumps({added.key: entry}))
    before = events(tmp_path), (added.folder / "run.json").read_bytes()
    capsys.readouterr()
    assert run(tmp_path, retry=retry) == 1
    assert (events(tmp_path), (added.folder / "run.json").read_bytes()) == before
    assert newer.read_text() == '{"schema": 99}'
    printed = capsys.readouterr().err
    assert "unreadable: yolox_demo seed 0: " in printed
    assert "--retry" not in printed


@pytest.fixture
def in_foreground() -> Iterator[None]:
    """Ctrl-C as a terminal gives it: whoever runs the tests in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_foreground")
@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGINT] * 3])
def test_a_signal_lets_the_runs_save(
    tmp_path: Path, numbers: list[signal.Signals], capfd: pytest.CaptureFixture[str]
) -> None:
    make_study(tmp_path, seeds=(0,))
    folders = [tmp_path / "runs" / key for key in KEYS[:2]]
    thread = signal_when(
        lambda: all((folder / "latest_ckpt.pth").exists() for folder in folders), numbers
    )
    assert run(tmp_path, parallel=2, yolox_demo="wait", placebo="wait") == 75
    thread.join()
    assert states(tmp_path) == ["interrupted", "interrupted", "missing"]
    assert sorted(each.code for each in read_attempts(tmp_path)) == [75, 75]
    printed = capfd.readouterr().err
    assert f"stopped ({numbers[0].name}): 0 of 3 runs finished, 2 interrupted, 1 missing" in printed
    assert printed.splitlines()[-1].endswith(f"next: yolox-attn study run {tmp_path}")
    assert run(tmp_path) == 0
    assert states(tmp_path) == ["finished"] * 3


def test_a_run_that_was_stopped_alone_is_no_failure(tmp_path: Path) -> None:
    make_study(tmp_path, seeds=(0,))
    (folder := tmp_path / "runs" / KEYS[0]).mkdir(parents=True)

    def stop() -> None:
        wait_for(lambda: (folder / "latest_ckpt.pth").exists())
        (child,) = (
            each
            for each in psutil.Process().children()
            if any("fake_run" in w for w in each.cmdline())
        )
        child.kill()

    thread = threading.Thread(target=stop)
    thread.start()
    assert run(tmp_path, yolox_demo="wait") == 75
    thread.join()
    assert states(tmp_path) == ["killed", "finished", "finished"]


def test_a_run_of_another_process_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_study(tmp_path, seeds=(0,))
    first = planned_runs(plan, tmp_path)[0]
    words = fake_command(tmp_path, {first.key: "wait"})(plan, first, "cpu")
    other = subprocess.Popen(words, env=os.environ | {"OMP_NUM_THREADS": "1"})
    wait_for(lambda: (first.folder / "latest_ckpt.pth").exists())
    assert run(tmp_path) == 75
    assert states(tmp_path) == ["running", "finished", "finished"]
    assert (
        "yolox_demo seed 0: another process is training it; left alone" in capsys.readouterr().err
    )
    (first.folder / "go").touch()
    assert other.wait(timeout=20) == 0
    assert run(tmp_path) == 0
    assert len([line for line in events(tmp_path) if line.startswith("start")]) == 3


def test_a_run_that_another_process_takes_first_is_no_failure(tmp_path: Path) -> None:
    """Both saw an empty folder and started; one of them is refused."""
    plan = make_study(tmp_path, seeds=(0,))
    first = planned_runs(plan, tmp_path)[0]
    first.folder.mkdir(parents=True)
    make = fake_command(tmp_path)

    def command(plan: Plan, job: PlannedRun, device: str) -> list[str]:
        words = make(plan, job, device)
        if job.key == first.key:  # the other one comes in between
            others.append(holder(first.folder))
        return words

    others: list[subprocess.Popen[bytes]] = []
    assert run_study(tmp_path, parallel=1, device="cpu", command=command) == 75
    assert states(tmp_path) == ["running", "finished", "finished"]
    assert [each.variant for each in read_attempts(tmp_path)] == ["placebo", "yolox_demo_cam"]
    others[0].communicate(b"")
    assert run(tmp_path) == 0


def test_a_study_is_run_once_at_a_time(tmp_path: Path) -> None:
    make_study(tmp_path, seeds=(0,))
    other = holder(tmp_path)
    with pytest.raises(InputError, match="another `study run` or `study add` is at work there"):
        run(tmp_path)
    other.communicate(b"")
    assert not events(tmp_path)


def test_a_changed_file_of_the_plan_is_refused(tmp_path: Path) -> None:
    make_study(tmp_path, seeds=(0,))
    (tmp_path / "truth.json").write_text("{ }")
    with pytest.raises(InputError, match=r"truth\.json was changed after the study was planned"):
        run(tmp_path)
    assert not events(tmp_path)


def test_a_file_that_changes_meanwhile_stops_the_study(tmp_path: Path) -> None:
    make_study(tmp_path, seeds=(0,))
    folder = tmp_path / "runs" / KEYS[0]

    def change() -> None:
        wait_for(lambda: (folder / "latest_ckpt.pth").exists())
        (tmp_path / "truth.json").write_text("{ }")
        (tmp_path / "runs" / KEYS[1] / "go").touch()
        try:
            wait_for(lambda: not held(folder))
        finally:
            (folder / "go").touch()  # so that a failure does not wait for ever

    (tmp_path / "runs" / KEYS[1]).mkdir(parents=True)
    thread = threading.Thread(target=change)
    thread.start()
    with pytest.raises(InputError, match=r"truth\.json was changed"):
        run(tmp_path, parallel=2, yolox_demo="wait", placebo="wait")
    thread.join()
    assert states(tmp_path)[:2] == ["interrupted", "finished"]
