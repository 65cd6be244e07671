import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from planned import write_exp

from yolox_attn.cli.train import main, make_parser
from yolox_attn.commands import threads
from yolox_attn.runs import read_record

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


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(run / "latest_ckpt.pth")["weights"]
    return found


def test_as_many_as_were_asked_for_and_a_resumed_run_keeps_them(
    words: list[str], tmp_path: Path
) -> None:
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


def test_auto_takes_the_number_whose_steps_are_the_fastest(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 3)
    monkeypatch.setattr(
        threads, "step_seconds", lambda *_: {1: 0.5, 2: 0.25, 3: 0.3}[torch.get_num_threads()]
    )
    auto = [*words[:-2], "--threads", "auto", *words[-2:]]
    assert main(auto) == 0
    run = tmp_path / "out/tiny/seed1"
    assert read_record(run).threads == 2
    said = "--threads auto: 2 (a step with 1: 0.500 s, 2: 0.250 s, 3: 0.300 s)"
    assert said in capsys.readouterr().err
    del os.environ[threads.VARIABLE]
    monkeypatch.setattr(threads, "step_seconds", None)  # a run that goes on is not measured
    assert main([*auto[:-2], "--resume-anyway", "max_epoch", "2", *auto[-2:]]) == 0
    assert read_record(run).threads == 2


def test_measuring_changes_no_bit_of_the_run_and_leaves_nothing(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 1)
    monkeypatch.setattr(threads, "BUDGET", 0.1)
    for name, given in (("told", "1"), ("auto", "auto")):
        assert main([*words[:-2], "-expn", name, "--threads", given, *words[-2:]]) == 0
        del os.environ[threads.VARIABLE]
    one, other = (weights(tmp_path / "out" / name) for name in ("told", "auto"))
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["auto", "told"]


def test_a_rank_does_not_measure_again(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "launched", lambda: True)
    args = make_parser().parse_args([*words[:-2], "--threads", "auto"])
    threads.set_threads(args, None)  # type: ignore[arg-type] # not looked at
    assert threads.VARIABLE not in os.environ


@pytest.mark.parametrize("word", ["0", "-1", "many", "1.5"])
def test_what_is_no_number_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        make_parser().parse_args(["-n", "yolox-s", f"--threads={word}"])
    assert ending.value.code == 2
    assert f"{word}: a number from 1, or auto" in capsys.readouterr().err
