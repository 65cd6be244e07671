"""torchrun on a CPU: two gloo processes train, lose a rank, resume and evaluate as one run."""

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
