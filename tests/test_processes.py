"""Two gloo processes on a CPU train, lose a rank or their launcher, resume and evaluate as one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from killing import STEP, command, differing, outcome

from yolox_attn.data.drawn import drawn_set
from yolox_attn.runs import read_record

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("processes"), train_images=24, val_images=7, size=96)


def words(data: Path, out: Path, *flags: str) -> list[str]:
    """The kill tests' run by the entry point tools/train.py, in two processes of torchrun."""
    return [*TORCHRUN, str(ROOT / "tools/train.py"), *command(data, out, 0, *flags)]


def run(data: Path, out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(data, out, *flags), capture_output=True, text=True, env=ENVIRONMENT, timeout=600
    )


def rank_of(launcher: int, rank: int) -> psutil.Process:
    """Find the process of torchrun that has this RANK."""
    children = psutil.Process(launcher).children(recursive=True)
    return next(each for each in children if each.environ().get("RANK") == str(rank))


@pytest.mark.slow
def test_two_processes_repeat_lose_a_rank_and_resume_to_the_same_bits(
    data: Path, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        done = run(data, tmp_path / name)
        assert done.returncode == 0, done.stderr[-3000:]
    reference = outcome(tmp_path / "first/run")
    assert differing(reference, outcome(tmp_path / "second/run")) == []
    assert read_record(tmp_path / "first/run").processes == 2

    out = tmp_path / "killed"
    out.mkdir()
    with (out / "output.txt").open("w") as log:
        launcher = subprocess.Popen(words(data, out), stdout=log, stderr=log, env=ENVIRONMENT)
        while ("2", "3") not in STEP.findall((out / "output.txt").read_text()):
            assert launcher.poll() is None, (out / "output.txt").read_text()[-3000:]
            time.sleep(0.01)
        os.kill(rank_of(launcher.pid, 1).pid, signal.SIGKILL)
        killed = time.monotonic()
        code = launcher.wait(timeout=120)
        assert code != 0
        assert time.monotonic() - killed < 60
    printed = (out / "output.txt").read_text()
    print(f"\ncode {code}, {time.monotonic() - killed:.1f} s;", printed.strip().splitlines()[-1])
    assert "SIGKILL" in printed or "-9" in printed
    done = run(data, out, "--resume")
    assert done.returncode == 0, done.stderr[-3000:]
    assert differing(reference, outcome(out / "run")) == []


def ranks_of(launcher: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Wait for the two ranks of a launcher of ours, and for nothing more of them."""
    while True:
        assert launcher.poll() is None
        ranks = psutil.Process(launcher.pid).children()
        if len(ranks) == 2:
            return ranks
        time.sleep(0.01)


@pytest.mark.slow
def test_no_rank_outlives_its_launcher(data: Path, tmp_path: Path) -> None:
    """Killed while they import, and in the middle of training; the run then goes on as ever."""
    ours = [sys.executable, str(ROOT / "tools/train.py")]
    whole, killed = ([*ours, *command(data, tmp_path / name, 0, "-d", "2")] for name in "ab")
    subprocess.run(whole, env=ENVIRONMENT, check=True, capture_output=True)
    (tmp_path / "b").mkdir()
    for flags, steps in (([], 0), (["--overwrite"], 3), (["--resume"], 1)):
        output = tmp_path / "b" / f"output{steps}.txt"
        with output.open("w") as log:
            launcher = subprocess.Popen([*killed, *flags], stdout=log, stderr=log, env=ENVIRONMENT)
            ranks = ranks_of(launcher)
            workers = [each for rank in ranks for each in rank.children(recursive=True)]
            while len(STEP.findall(output.read_text())) < steps:
                assert launcher.poll() is None, output.read_text()[-3000:]
                time.sleep(0.01)
            os.kill(launcher.pid, signal.SIGKILL)
            launcher.wait()
            _, left = psutil.wait_procs([*ranks, *workers], timeout=60)
        assert left == [], output.read_text()[-3000:]
    done = subprocess.run([*killed, "--resume"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert differing(outcome(tmp_path / "a/run"), outcome(tmp_path / "b/run")) == []


@pytest.mark.slow
def test_one_checkpoint_judged_by_one_and_by_two_processes(data: Path, tmp_path: Path) -> None:
    done = run(data, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    detections = {}
    for ranks, start in ((1, [sys.executable]), (2, TORCHRUN)):
        out = tmp_path / str(ranks)
        judge = [str(ROOT / "tools/eval.py"), "-n", "yolox-nano-cam", "-b", str(ranks)]
        judge += ["-c", str(tmp_path / "run/best_ckpt.pth"), "--data", str(data), "--device", "cpu"]
        judge += ["--output", str(out), "--conf", "0.001", "test_size", "64,64"]
        done = subprocess.run([*start, *judge], capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr[-3000:]
        detections[ranks] = (out / "detections.json").read_bytes()
        assert json.loads((out / "evaluation.json").read_text())["metrics"]["AP"] is not None
    assert len(detections[1]) > 1000
    assert detections[1] == detections[2]
