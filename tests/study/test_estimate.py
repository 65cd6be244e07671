import json
import math
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from judged_comparison import judged_comparison

from yolox_attn.errors import InputError
from yolox_attn.report import write_comparison
from yolox_attn.report.comparison import SeedNoise
from yolox_attn.stats.terms import Terms
from yolox_attn.study.estimate import (
    Probe,
    answer_of,
    detectable,
    needed,
    noise_prior,
    probe,
    wall_time,
)
from yolox_attn.study.plan import PlannedVariant, Training

PYTHON = sys.executable
STAND_IN = """
import json, os, sys, time
sys.stdin.readline()
time.sleep(os.getpid() % 3 / 10)
ready = time.time()
print("hello\\nready", flush=True)
sys.stdin.readline()
step = float(os.getpid())
with open(f"{sys.argv[1]}/{os.getpid()}.json", "w") as file:
    json.dump({"ready": ready, "told": time.time(), "step": step}, file)
names = ("startup", "step", "image", "steps", "images", "memory", "device")
print(json.dumps(dict(zip(names, (1.0, step, 1.0, 1, 1, None, "cpu")))))
"""


def test_a_run_is_startup_steps_and_evaluated_images() -> None:
    timed = Probe(10.0, 0.5, 0.1, steps=30, images=100, memory=None, device="cpu")
    assert timed.seconds == 10 + 15 + 10


def test_a_probe_that_takes_too_long_is_given_up() -> None:
    variant = PlannedVariant("base", "baseline", None, "yolox-nano")
    assert probe(variant, Training(None), "val", "cpu", limit=0.1) == "not done after 0.1 s"


def test_probes_wait_for_each_other_and_the_slowest_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stand-ins that say when each got ready, and when it was told to go on."""
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {PYTHON} {stand_in} {tmp_path}\n")
    python.chmod(0o755)
    variant = PlannedVariant("base", "baseline", None, "yolox-nano")
    found = probe(variant, Training(None), "val", "cpu", 3)
    assert isinstance(found, Probe)
    told = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert len(told) == 3
    assert max(each["ready"] for each in told) <= min(each["told"] for each in told)
    assert found.step == max(each["step"] for each in told)


WAITING = """
import os, sys, time
sys.stdin.readline()
with open(f"{sys.argv[1]}/{os.getpid()}.pid", "w"):
    pass
time.sleep(60)
"""
ASKING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background
from yolox_attn.study.estimate import probe
from yolox_attn.study.plan import PlannedVariant, Training
sys.executable = sys.argv[1]
probe(PlannedVariant("base", "baseline", None, "yolox-nano"), Training(None), "val", "cpu", 2)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_a_plan_ends_its_probes(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec {PYTHON} {tmp_path}/waiting.py {tmp_path}\n")
    python.chmod(0o755)
    asking = subprocess.Popen(
        [PYTHON, "-c", ASKING, str(python)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(begun := list(tmp_path.glob("*.pid"))) < 2:
        assert asking.poll() is None
        time.sleep(0.05)
    asking.send_signal(number)
    asking.wait(30)
    left = [path.stem for path in begun if psutil.pid_exists(int(path.stem))]
    assert left == []


@pytest.mark.parametrize("count", [1, 3])
def test_a_process_that_ends_before_it_is_ready_is_a_reason_and_nothing_more(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was sent in vain must not come up again when its pipes are closed."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ValueError: no such thing' >&2; exit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    variant = PlannedVariant("base", "baseline", None, "yolox-nano")
    for _ in range(10):
        found = probe(variant, Training(None), "val", "cpu", count)
        assert found == "no such thing (exit code 3)"
    monkeypatch.setattr(sys, "executable", str(tmp_path))
    assert probe(variant, Training(None), "val", "cpu").startswith("cannot be started")  # type: ignore[union-attr]


def test_the_answer_of_a_probe_is_its_last_line() -> None:
    answer = Probe(1.0, 1.0, 1.0, 1, 1, None, "cpu")
    assert answer_of(0, "hello\n" + json.dumps(vars(answer)) + "\n", "a warning") == answer
    err = "Traceback\n  ...\nyolox_attn.errors.InputError: no memory\n"
    assert answer_of(1, "", err) == "no memory (exit code 1)"
    assert answer_of(-9, "", "") == "it said nothing (exit code -9)"


def test_wall_time_is_no_less_than_the_longest_run() -> None:
    assert wall_time([10, 20, 30], 1) == 60
    assert wall_time([10, 20, 30], 2) == 30
    assert wall_time([10, 20, 30], 9) == 30
    assert wall_time([], 2) == 0


@pytest.mark.parametrize(("seeds", "times"), [(3, 3.26), (5, 1.68), (10, 1.00), (20, 0.66)])
def test_detectable_effects_are_those_of_the_literature(seeds: int, times: float) -> None:
    assert detectable(1.0, seeds, 1, Terms()) == pytest.approx(times, abs=0.01)


def test_more_blocks_need_larger_effects_and_more_seeds() -> None:
    terms = Terms(sesoi=0.3)
    assert detectable(1.0, 5, 6, terms) == pytest.approx(2.8, abs=0.05)
    assert needed(0.3, 1, terms) == 10
    assert (needed(0.3, 6, terms) or 0) > 10
    assert detectable(1.0, 5, 0, terms) == detectable(1.0, 5, 1, terms)  # of the noise alone


FIVE = judged_comparison(5)


def write_report(folder: Path, noise: SeedNoise | None, *, alone: bool = True) -> Path:
    variants = FIVE.variants[:1] if alone else FIVE.variants
    write_comparison(folder, replace(FIVE, variants=variants, seed_noise=noise))
    return folder


def test_the_noise_is_a_number_or_sqrt_two_of_that_of_a_baseline(tmp_path: Path) -> None:
    assert noise_prior(["0.6"]) == pytest.approx(0.6)
    report = write_report(tmp_path / "study/report", replace(FIVE.seed_noise, sd=0.003))
    assert noise_prior([str(tmp_path / "study")]) == pytest.approx(0.3 * math.sqrt(2))
    assert noise_prior([str(report)]) == pytest.approx(0.3 * math.sqrt(2))


def test_of_a_study_with_blocks_the_scatter_of_its_pairs_counts_and_several_are_averaged(
    tmp_path: Path,
) -> None:
    report = write_report(tmp_path, FIVE.seed_noise, alone=False)
    blocks = [judged.noise for each, judged in FIVE.judged() if each.role == "variant"]
    variances = [1e4 * (each["seed"] ** 2 + each["seed_image"] ** 2) for each in blocks]
    expected = sum(variances) / 4
    assert noise_prior([str(report)]) == pytest.approx(math.sqrt(expected))
    assert noise_prior([str(report), "2.0"]) == pytest.approx(math.sqrt((expected + 4) / 2))


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf"])
def test_a_number_that_is_no_noise_is_refused(word: str) -> None:
    with pytest.raises(InputError, match=f"--noise {word}: a standard deviation in AP points"):
        noise_prior([word])


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    message = f"--noise {tmp_path}: neither a number nor a study that has a report"
    with pytest.raises(InputError, match=re.escape(message)):
        noise_prior([str(tmp_path)])


def test_a_report_without_noise_is_refused(tmp_path: Path) -> None:
    write_report(tmp_path / "report", None)
    with pytest.raises(InputError, match=r"comparison.json has no noise of seeds"):
        noise_prior([str(tmp_path)])
