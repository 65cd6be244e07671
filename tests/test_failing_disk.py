"""A disk that fails once, anywhere: one line at most, and then the numbers of a sound one."""

import contextlib
import shutil
from functools import partial
from pathlib import Path

import psutil
import pytest
from failing import ERRORS, HITS, Disk, in_child, on_failing_disk
from fake_study import fake_command, make_study
from forked import ended
from killing import differing, finish, outcome, processes_of, start

from yolox_attn.cli.doctor import main as doctor
from yolox_attn.cli.train import main as train
from yolox_attn.data.drawn import drawn_set
from yolox_attn.errors import InputError
from yolox_attn.study.scheduler import Command, run_study

POINTS = 20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("failing"), train_images=24, val_images=8, size=96)


@pytest.fixture(scope="module")
def sound(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on a sound disk, beside the number of its calls."""
    out = tmp_path_factory.mktemp("sound")
    finish(start(data, out, 0, train=partial(on_failing_disk, out / "run", None, "", train)))
    return out / "run"


@pytest.mark.slow
@pytest.mark.parametrize("point", range(POINTS))
def test_a_training_goes_on_to_the_same_bits(
    point: int, data: Path, sound: Path, tmp_path: Path
) -> None:
    calls = int((sound.parent / "calls.txt").read_text())
    at, hit = point * calls // POINTS, HITS[point % len(HITS)]
    failing = partial(on_failing_disk, tmp_path / "run", at, hit, train)
    worker = start(data, tmp_path, 0, train=failing)
    code = ended(worker.process)
    print(f"call {at} of {calls}, {hit}: exit code {code}")
    assert code == -9 if hit == "kill" else code in (0, 2), worker.output()
    assert "Traceback" not in worker.output()
    saved = list((tmp_path / "run").glob("*_ckpt.pth"))
    finish(start(data, tmp_path, 0, "--resume" if saved else "--overwrite"))
    assert differing(outcome(sound), outcome(tmp_path / "run")) == []


def calls_of(folder: Path, argv: list[str]) -> int:
    with Disk(folder).failing() as disk:
        doctor(argv)
    return len(disk.calls)


@pytest.mark.slow
def test_the_doctor_keeps_the_report_it_has(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--data", str(data), "--quick", "-o", str(tmp_path / "reports")]
    calls = calls_of(tmp_path, argv)
    written = {path.name: path.read_bytes() for path in (tmp_path / "reports").iterdir()}
    assert calls > 3
    for at in range(calls):
        for hit in HITS:
            run = partial(on_failing_disk, tmp_path / "reports", at, hit, doctor, argv)
            capsys.readouterr()
            code = in_child(run) if hit == "kill" else run()
            said = capsys.readouterr().err
            assert "Traceback" not in said
            assert hit == "kill" or (code == 2) == ("error: " in said)
            whole = [path for path in (tmp_path / "reports").iterdir() if path.suffix != ".tmp"]
            assert {path.name: path.read_bytes() for path in whole} == written


@pytest.mark.slow
def test_a_study_goes_on_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "counted").mkdir()
    with Disk(whole := study_in(tmp_path / "counted")).failing() as disk:
        assert run_study(whole, parallel=2, command=fake_command(whole.parent)) == 0
    calls = len(disk.calls)
    assert calls > POINTS
    for point in range(POINTS):
        at, hit = point * calls // POINTS, HITS[point % len(HITS)]
        folder = study_in(tmp_path / str(point))
        command = fake_command(folder.parent)
        failing = partial(run_on, Disk(folder, at, hit), folder, command)
        if hit in ERRORS:
            with contextlib.suppress(OSError, InputError):  # of calls that cost nothing: neither
                failing()
            assert processes_of(folder) == []
        else:
            assert in_child(failing) == -9
            psutil.wait_procs(processes_of(folder), timeout=120)  # its runs go on to their ends
        assert run_study(folder, parallel=2, retry=True, command=command) == 0
        shutil.rmtree(folder.parent)


def run_on(disk: Disk, folder: Path, command: Command) -> None:
    with disk.failing():
        run_study(folder, parallel=2, command=command)


def study_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    make_study(folder / "study")
    return folder / "study"
