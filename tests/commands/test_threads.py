import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from planned import write_exp
from run_folders import make_record

from yolox_attn.cli.train import main, make_parser
from yolox_attn.commands import threads
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.launched import LAUNCHER
from yolox_attn.runs import read_record, write_record
from yolox_attn.study import probe as probes
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.probe import Probe

SHORT = "self.max_epoch, self.warmup_epochs = 1, 0"


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the command sets for its process is as it was for the next test."""
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def words(drawn: Path, tmp_path: Path) -> list[str]:
    exp_file = write_exp(tmp_path, "tiny", SHORT)
    given = ["-f", str(exp_file), "--data", str(drawn), "-b", "4", "--device", "cpu", "--seed", "1"]
    return [*given, "-l", "none", "output_dir", str(tmp_path / "out")]


def test_as_many_as_were_asked_for_and_a_resumed_run_keeps_them(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    assert main([*words[:-2], "--threads", "3", *words[-2:]]) == 0
    run = tmp_path / "out/tiny/seed1"
    assert read_record(run).threads == 3
    del os.environ[threads.VARIABLE]
    more = ["--resume", "max_epoch", "2", "output_dir", str(tmp_path / "out")]
    assert main([*words[:-2], "--resume-anyway", *more[1:]]) == 0
    assert read_record(run).threads == 3
    os.environ[threads.VARIABLE] = "2"  # what the user says counts
    more[2] = "3"
    assert main([*words[:-2], "--resume-anyway", *more[1:]]) == 0
    assert read_record(run).threads == 2


def probe_of(steps: dict[int, float | str], asked: list[tuple[Training, int]]) -> Any:
    def probe(
        variant: PlannedVariant, training: Training, split: str, device: str, count: int
    ) -> Probe | str:
        asked.append((training, count))
        step = steps[training.threads]
        return step if isinstance(step, str) else Probe(1.0, step, 1.0, 1, 1, None, device)

    return probe


def test_auto_takes_the_number_whose_steps_are_the_fastest(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[Training, int]] = []
    monkeypatch.setattr(threads, "usable_cores", lambda: 5)
    steps: dict[int, float | str] = {1: 0.5, 2: 0.25, 4: "no memory", 5: 0.3}
    monkeypatch.setattr(probes, "probe", probe_of(steps, asked))
    args = make_parser().parse_args([*words[:-2], "--threads", "auto"])
    args.experiment_name = "tiny/seed1"
    exp = load_exp(args.exp_file, None)
    exp.output_dir = str(tmp_path / "out")
    threads.set_threads(args, exp)
    assert os.environ[threads.VARIABLE] == "2"
    assert [training.threads for training, _ in asked] == [1, 2, 4, 5]
    assert {(training.batch_size, count) for training, count in asked} == {(4, 1)}
    line = "--threads auto: 2 (a step with 1: 0.500 s, 2: 0.250 s, 5: 0.300 s)"
    assert line in capsys.readouterr().err
    folder = tmp_path / "out/tiny/seed1"
    folder.mkdir(parents=True)
    write_record(folder, replace(make_record("tiny", 1, 0.4), threads=3))
    args.resume = True
    monkeypatch.setattr(probes, "probe", None)  # a run that goes on is not measured
    threads.set_threads(args, exp)
    assert os.environ[threads.VARIABLE] == "3"


def test_ranks_are_timed_side_by_side_with_their_share_of_the_batch(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Training, int]] = []
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    monkeypatch.setattr(probes, "probe", probe_of({1: 0.5, 2: 0.25}, asked))
    args = make_parser().parse_args([*words[:-2], "-d", "2", "--threads", "auto"])
    args.experiment_name = "tiny"
    threads.set_threads(args, load_exp(args.exp_file, None))
    assert [(each.threads, each.batch_size, count) for each, count in asked] == [
        (1, 2, 2),
        (2, 2, 2),
    ]
    assert os.environ[threads.VARIABLE] == "2"


@pytest.mark.slow
def test_measured_for_real(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words[:-2], "--threads", "auto", *words[-2:]]) == 0
    assert "--threads auto: timing a step with 1 ..." in capsys.readouterr().err


def test_a_run_that_cannot_be_timed_is_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probes, "probe", lambda *_: "no images (exit code 2)")
    assert main([*words[:-2], "--threads", "auto", *words[-2:]]) == 2
    assert "error: --threads auto: no images (exit code 2)\n" in capsys.readouterr().err


def test_our_own_ranks_take_over_what_was_set(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LAUNCHER, str(os.getpid()))
    args = make_parser().parse_args([*words[:-2], "--threads", "auto"])
    threads.set_threads(args, None)  # type: ignore[arg-type] # not looked at
    assert threads.VARIABLE not in os.environ


def test_torchrun_sets_its_own_number_unless_one_is_given(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(threads, "launched", lambda: True)
    args = make_parser().parse_args([*words[:-2], "--threads", "2"])
    threads.set_threads(args, None)  # type: ignore[arg-type]
    assert os.environ[threads.VARIABLE] == "2"
    args.threads = "auto"
    with pytest.raises(InputError, match="without torchrun"):
        threads.set_threads(args, None)  # type: ignore[arg-type]


def test_a_run_from_more_cores_gets_those_of_this_machine(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out/tiny/seed1"
    folder.mkdir(parents=True)
    write_record(folder, replace(make_record("tiny", 1, 0.4), threads=64))
    args = make_parser().parse_args([*words[:-2], "--resume"])
    args.experiment_name = "tiny/seed1"
    exp = load_exp(args.exp_file, None)
    exp.output_dir = str(tmp_path / "out")
    threads.set_threads(args, exp)
    assert threads.VARIABLE not in os.environ
    monkeypatch.setattr(threads, "usable_cores", lambda: 64)
    threads.set_threads(args, exp)
    assert os.environ[threads.VARIABLE] == "64"


def test_too_many_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words[:-2], "--threads", "100000", *words[-2:]]) == 2
    assert "--threads 100000: at most" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["0", "-1", "many", "1.5", "\N{SUPERSCRIPT TWO}"])
def test_what_is_no_number_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        make_parser().parse_args(["-n", "yolox-s", f"--threads={word}"])
    assert ending.value.code == 2
    assert f"{word}: a number from 1, or auto" in capsys.readouterr().err
