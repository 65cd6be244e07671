"""The train command: what it leaves; bad input of every kind is tested by the corpus."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from planned import write_exp

from yolox_attn.cli.train import main
from yolox_attn.runs import read_record

ROOT = Path(__file__).resolve().parents[2]
OWN_FAULT = "\n    def preprocess(self, *a):\n        raise KeyError('oops')\n"
SHORT = "self.max_epoch, self.warmup_epochs = 1, 0"


@pytest.fixture
def exp_file(tmp_path: Path) -> Path:
    return Path(write_exp(tmp_path, "tiny", SHORT))


@pytest.fixture
def train_main(exp_file: Path, drawn: Path, tmp_path: Path) -> Callable[..., int]:
    """Return a function that calls the command on the drawn set with further words."""

    def call(*words: object, data: Path | None = drawn) -> int:
        given = ["-f", str(exp_file), "-b", "4", "--device", "cpu"]
        given += ["--data", str(data)] if data else []
        return main([*given, *map(str, words), "output_dir", str(tmp_path / "out")])

    return call


def test_a_seed_gets_a_folder_of_its_own(train_main: Callable, tmp_path: Path) -> None:
    assert train_main("--seed", 3, "attention", "se") == 0
    record = read_record(tmp_path / "out/tiny/seed3")
    assert (record.name, record.seed, record.state) == ("tiny", 3, "finished")
    assert record.config["num_classes"] == 5
    assert record.overrides[:2] == ["attention", "se"]


def test_without_a_logger_no_board_is_written(train_main: Callable, tmp_path: Path) -> None:
    assert train_main("-l", "none") == 0
    left = {path.name for path in (tmp_path / "out/tiny").iterdir()}
    assert {"run.json", "metrics.jsonl", "train_log.txt"} <= left
    assert left.isdisjoint({"tensorboard", "wandb", "wandb.json"})


def test_one_seed_gives_two_variants_equal_shared_tensors(
    train_main: Callable, tmp_path: Path
) -> None:
    exp = ["max_epoch", 1, "basic_lr_per_img", 0.0, "ema", False]  # nothing is learnt
    assert train_main("--seed", 5, "-expn", "a", *exp) == 0
    assert train_main("--seed", 5, "-expn", "b", *exp, "attention", "cbam") == 0
    baseline, variant = (
        torch.load(tmp_path / f"out/{name}/latest_ckpt.pth")["weights"] for name in "ab"
    )
    same = [k for k in baseline if "running" not in k and "num_batches" not in k]
    assert all(torch.equal(baseline[key], variant[key]) for key in same)


def test_data_dir_and_the_environment_still_work(
    train_main: Callable, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train_main("data_dir", drawn, "num_classes", 5, "-expn", data=None) != 0  # -expn is late
    assert train_main("-expn", "own", "data_dir", drawn, "num_classes", 5, data=None) == 0
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/COCO").symlink_to(drawn)
    monkeypatch.setenv("YOLOX_DATADIR", str(tmp_path / "sets"))
    assert train_main("-expn", "env", "num_classes", 5, data=None) == 0


def test_a_recipe_gives_way_to_what_is_said_and_goes_on_with_the_same_line(
    train_main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["--recipe", "scratch", "-expn", "a", "max_epoch", 2, "warmup_epochs", 0]
    words += ["no_aug_epochs", 0, "ema_tau", 50]
    assert train_main(*words) == 0
    said = capsys.readouterr().err
    assert "recipe scratch: basic_lr_per_img 0.00015625, ema_decay 0.9998, attention_init" in said
    config = read_record(tmp_path / "out/a").config
    assert (config["max_epoch"], config["ema_tau"]) == (2, 50.0)
    assert config["basic_lr_per_img"] == 0.01 / 64  # the tiny experiment has another
    assert train_main(*words, "--resume") == 0
    assert train_main("--recipe", "finetune") == 2
    assert "--recipe finetune needs weights" in last_error(capsys)


def last_error(capsys: pytest.CaptureFixture) -> str:
    """The last line on stderr, which is the only error; the corpus of bad inputs has the others."""
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("error:")] == lines[-1:]
    return lines[-1]


def test_two_seeds_are_refused(train_main: Callable, capsys: pytest.CaptureFixture) -> None:
    assert train_main("--seed", "1", "seed", "2") == 2
    assert "--seed 1 and seed 2: choose one" in last_error(capsys)


def test_a_broken_image_in_a_worker_process_is_one_line_too(
    drawn: Path, tmp_path: Path, train_main: Callable, capsys: pytest.CaptureFixture
) -> None:
    folder = Path(shutil.copytree(drawn, tmp_path / "spoilt"))
    for file in (folder / "train2017").iterdir():
        file.write_bytes(b"not an image")
    assert train_main("--skip-doctor", "data_num_workers", 1, data=folder) == 2
    assert str(folder) in last_error(capsys)


def test_without_any_data_it_says_how_to_give_it(
    train_main: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("YOLOX_DATADIR", str(tmp_path))
    assert train_main(data=None) == 2
    assert last_error(capsys).startswith("error: no data: give --data DIR")


def test_an_edited_exp_file_is_another_experiment(
    train_main: Callable, exp_file: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train_main() == 0
    write_exp(exp_file.parent, "tiny", SHORT, "self.attention = 'none'")
    assert train_main("--resume") == 2
    assert "is of another run: Exp file " in last_error(capsys)


def test_a_fault_is_raised_as_it_is_and_the_record_says_failed(
    train_main: Callable, exp_file: Path, tmp_path: Path
) -> None:
    write_exp(exp_file.parent, "tiny", SHORT, methods=OWN_FAULT)
    with pytest.raises(KeyError, match="oops"):
        train_main()
    assert read_record(tmp_path / "out/tiny").state == "failed"


@pytest.mark.slow
def test_the_entry_point_ends_with_the_real_error(
    exp_file: Path, drawn: Path, tmp_path: Path
) -> None:
    """As a process: a fault keeps its traceback and exits 1; the user's mistake is one line, 2."""
    write_exp(exp_file.parent, "tiny", SHORT, methods=OWN_FAULT)
    train = [sys.executable, str(ROOT / "tools/train.py"), "-f", str(exp_file), "-b", "4"]
    train += ["--device", "cpu", "--data", str(drawn)]
    run = subprocess.run([*train, "output_dir", str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.rstrip().endswith("KeyError: 'oops'")
    run = subprocess.run([*train, "max_epok", "3"], capture_output=True, text=True)
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
