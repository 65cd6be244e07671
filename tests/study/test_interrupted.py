"""A real study, stopped in its middle and with a broken run, ends as if nothing had happened."""

import contextlib
import json
import os
import random
import secrets
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from killing import processes_of
from planned import with_test_split

from yolox_attn.data.drawn import drawn_set
from yolox_attn.runs import file_hash, read_metrics, read_record
from yolox_attn.stats.terms import Terms
from yolox_attn.study.import_runs import add_runs
from yolox_attn.study.plan import Plan, PlannedVariant, Training, write_plan
from yolox_attn.study.planned_run import PlannedRun, planned_runs, state_of
from yolox_attn.study.scheduler import run_study
from yolox_attn.study.status import status_text

EPOCHS = 8
SETTINGS = {
    "max_epoch": EPOCHS, "warmup_epochs": 1, "no_aug_epochs": 1, "eval_interval": 1,
    "print_interval": 1, "input_size": "64,64", "test_size": "64,64", "random_size": "1,3",
    "data_num_workers": 0,
}  # fmt: skip
# The baseline, written as a file.
BASE = "from yolox_attn.exp import NanoExp\n\n\nclass Exp(NanoExp):\n    pass\n"
RUN = [sys.executable, "-m", "yolox_attn.cli", "study", "run"]


def plan_of(data: Path, exp: Path) -> Plan:
    truth = data / "annotations/instances_test2017.json"
    overrides = tuple(str(word) for pair in SETTINGS.items() for word in pair)
    return Plan(
        variants=(
            PlannedVariant("base", "baseline", str(exp), None, file_hash(exp)),
            PlannedVariant("yolox_nano_eca", "variant", None, "yolox-nano-eca"),
        ),
        seeds=(0, 1),
        training=Training(str(data), batch_size=2, accumulate=2, overrides=overrides),
        split="test",
        truth=str(truth),
        truth_sha256=file_hash(truth),
        terms=Terms(),
        created="2026-01-02T03:04:05+00:00",
    )


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    root = tmp_path_factory.mktemp("planned")
    drawn = drawn_set(root, train_images=24, val_images=8, size=96)
    (exp := root / "base.py").write_text(BASE)
    return plan_of(with_test_split(drawn, root / "data"), exp)


@pytest.fixture(scope="module")
def uninterrupted(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    write_plan(folder, plan)
    assert run_study(folder, parallel=2, device="cpu") == 0
    return folder


def detections_of(plan: Plan, folder: Path) -> dict[str, list[bytes]]:
    """What each run has found on both splits, to the byte."""
    return {
        job.key: [
            (place / "detections.json").read_bytes()
            for place in (job.folder, job.evaluation or job.folder)
        ]
        for job in planned_runs(plan, folder)
    }


def stop_in_the_middle(folder: Path, jobs: list[PlannedRun]) -> None:
    """Run the study in a process of its own; SIGTERM when both first runs have ended an epoch."""
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    words = [*RUN, str(folder), "--max-parallel", "2", "--device", "cpu"]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(words, stderr=said, env=environment)
        end = time.monotonic() + 300
        while not all(read_metrics(job.folder) for job in jobs[:2]):
            assert process.poll() is None, (folder / "said.txt").read_text()
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 75, (folder / "said.txt").read_text()


@pytest.mark.slow
def test_stopped_broken_and_gone_on_with(plan: Plan, uninterrupted: Path, tmp_path: Path) -> None:
    write_plan(tmp_path, plan)
    jobs = planned_runs(plan, tmp_path)
    stop_in_the_middle(tmp_path, jobs)
    assert [state_of(job) for job in jobs] == ["interrupted"] * 2 + ["missing"] * 2
    said = (tmp_path / "said.txt").read_text()
    assert f"next: python -m yolox_attn.cli study run {tmp_path}" in said.splitlines()[-1]
    assert all(read_record(job.folder).epoch < EPOCHS for job in jobs[:2])

    for path in jobs[1].folder.glob("*_ckpt.pth"):
        path.write_bytes(b"PK cut off")
    assert run_study(tmp_path, parallel=2, device="cpu") == 1
    states = [state_of(job) for job in planned_runs(plan, tmp_path)]
    assert states == ["finished", "failed", "finished", "finished"]
    status = status_text(tmp_path)
    assert "failed: yolox_nano_eca seed 0: " in status
    assert "holds no readable checkpoint" in status
    assert "3 of 4 runs finished, 1 failed" in status
    attempts = [json.loads(line) for line in (tmp_path / "attempts.jsonl").read_text().splitlines()]
    works = [(each["variant"], each["seed"], each["work"], each["code"]) for each in attempts]
    assert ("yolox_nano_eca", 0, "train", 2) in works
    assert ("base", 0, "train", 75) in works
    assert ("base", 0, "evaluate", 0) in works

    assert run_study(tmp_path, parallel=2, device="cpu", retry=True) == 0
    assert detections_of(plan, tmp_path) == detections_of(plan, uninterrupted)
    records = [read_record(job.folder) for job in planned_runs(plan, tmp_path)]
    assert [(each.name, each.seed) for each in records] == [
        (name, seed) for seed in (0, 1) for name in ("base", "yolox_nano_eca")
    ]
    assert [len(each.resumed) for each in records] == [1, 0, 0, 0]
    assert {each.threads for each in records} == {1}


KILLS = {  # how -> signal, and whether it goes to the whole terminal: bash, study and tee
    "Ctrl-C": (signal.SIGINT, True),
    "hang-up": (signal.SIGHUP, True),
    "terminal killed": (signal.SIGKILL, True),
    "study killed": (signal.SIGKILL, False),
    "study stopped": (signal.SIGTERM, False),
}


def killed_behind_tee(folder: Path, how: str, seconds: float) -> bool:
    """Run the study behind tee until it is killed; False if it has ended by itself before."""
    words = f"{shlex.join(RUN)} {folder} --max-parallel 2 --device cpu --retry"
    number, to_all = KILLS[how]
    terminal = subprocess.Popen(
        ["bash", "-c", f"{words} 2>&1 | tee -a {folder}/said.txt"],
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        terminal.wait(seconds)
        return False
    if to_all:
        os.killpg(terminal.pid, number)
    else:
        for process in psutil.Process(terminal.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # a run that has just ended
                if "run" in process.cmdline() and "study" in process.cmdline():
                    process.send_signal(number)
    terminal.wait(120)
    return True


def as_in_a_terminal() -> None:
    """Hear what a background job, or one behind nohup, is deaf to."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def finish(folder: Path) -> None:
    """Let the runs of a killed study end, which go on by themselves; then all that is missing."""
    psutil.wait_procs(processes_of(folder), timeout=600)
    assert run_study(folder, parallel=2, device="cpu", retry=True) == 0, status_text(folder)


@pytest.mark.slow
def test_twenty_kills_behind_tee(plan: Plan, uninterrupted: Path, tmp_path: Path) -> None:
    number = secrets.randbits(32)
    print(f"seed {number}")
    rng, hits, copies = random.Random(number), 0, 0
    while hits < 20:
        folder = tmp_path / f"study{copies}"
        write_plan(folder, plan)
        while hits < 20:
            how, seconds = rng.choice(list(KILLS)), rng.uniform(2, 30)
            if not killed_behind_tee(folder, how, seconds):
                break
            hits += 1
            print(f"copy {copies}: {how} after {seconds:.1f} s")
        finish(folder)
        assert detections_of(plan, folder) == detections_of(plan, uninterrupted)
        assert "Traceback" not in (folder / "said.txt").read_text()
        _, left = psutil.wait_procs(processes_of(folder), timeout=30)
        assert not left
        copies += 1


@pytest.mark.slow
def test_real_runs_are_added(plan: Plan, uninterrupted: Path, tmp_path: Path) -> None:
    """Whoever made them: they are evaluated in the study, and their folders stay as they are."""
    write_plan(tmp_path, plan)
    folders = [
        job.folder for job in planned_runs(plan, uninterrupted) if job.variant == plan.baseline
    ]
    before = {path: path.stat().st_mtime_ns for each in folders for path in each.rglob("*")}
    lines = add_runs(tmp_path, [uninterrupted / "runs/base"])
    assert lines == [f"{folder} is base seed {seed}" for seed, folder in enumerate(folders)]
    assert run_study(tmp_path, parallel=2, device="cpu") == 0
    assert detections_of(plan, tmp_path) == detections_of(plan, uninterrupted)
    assert {path: path.stat().st_mtime_ns for each in folders for path in each.rglob("*")} == before
    assert not (tmp_path / "runs/base/seed0/run.json").exists()
