"""The train command: what it leaves, and every kind of bad input in one line."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from loguru import logger

from yolox_attn.cli.train import main
from yolox_attn.core import save_checkpoint
from yolox_attn.exp import load_exp
from yolox_attn.runs import read_record

ROOT = Path(__file__).resolve().parents[2]
EXP = """
from yolox_attn.exp import AttentionExp

class Exp(AttentionExp):
    def __init__(self):
        super().__init__()
        self.depth, self.width = 0.33, 0.125
        self.input_size = self.test_size = (64, 64)
        self.random_size = (1, 3)
        self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 1, 0, 0
        self.data_num_workers = 0
"""


@pytest.fixture(autouse=True)
def quiet_log() -> None:
    yield
    logger.remove()  # the command's log went to this test's stderr


@pytest.fixture
def exp_file(tmp_path: Path) -> Path:
    (tmp_path / "tiny.py").write_text(EXP)
    return tmp_path / "tiny.py"


@pytest.fixture
def train_main(exp_file: Path, drawn: Path, tmp_path: Path) -> Callable[..., int]:
    """Return a function that calls the command on the drawn set with further words."""

    def call(*words: object, data: Path | None = drawn) -> int:
        given = ["-f", str(exp_file), "-b", "4", "--device", "cpu"]
        given += ["--data", str(data)] if data else []
        return main([*given, *map(str, words), "output_dir", str(tmp_path / "out")])

    return call


def test_a_seed_gets_a_folder_of_its_own(train_main: Callable, tmp_path: Path) -> None:
    assert train_main("--seed", 3) == 0
    record = read_record(tmp_path / "out/tiny/seed3")
    assert (record.name, record.seed, record.state) == ("tiny", 3, "finished")
    assert record.config["num_classes"] == 5


def test_a_named_run_keeps_its_name(train_main: Callable, tmp_path: Path) -> None:
    assert train_main("--seed", 3, "-expn", "mine", "attention", "se") == 0
    record = read_record(tmp_path / "out/mine")
    assert (record.name, record.seed) == ("mine", 3)
    assert record.overrides[:2] == ["attention", "se"]


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


def spoilt(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "spoilt"))


def without_an_image(drawn: Path, tmp_path: Path) -> Path:
    folder = spoilt(drawn, tmp_path)
    next((folder / "train2017").iterdir()).unlink()
    return folder


def with_broken_json(drawn: Path, tmp_path: Path) -> Path:
    folder = spoilt(drawn, tmp_path)
    file = folder / "annotations/instances_val2017.json"
    file.write_text(file.read_text()[:200])
    return folder


def with_a_broken_image(drawn: Path, tmp_path: Path) -> Path:
    folder = spoilt(drawn, tmp_path)
    for file in (folder / "train2017").iterdir():
        file.write_bytes(b"not an image")
    return folder


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["attention", "camm"], "unknown attention 'camm' at dark3; known: acmix"),
        (["attention", "eca", "attention_options", "{'k': 3}"], "eca has no option k; it takes"),
        (["attention", "eca", "attention_levels", "dark2"], "unknown level 'dark2'"),
        (["attention", "eca", "attention_init", "zero"], "attention_init 'zero'; it is published"),
        (["max_epok", "3"], "override 'max_epok': no such setting; did you mean max_epoch"),
        (["max_epoch", "many"], "override max_epoch many: needs int, like 1"),
        (["ema", "perhaps"], "needs bool"),
        (["input_size", "100,100"], "multiples of 32"),
        (["--device", "cuda:77"], "--device cuda:77: torch sees"),
        (["--device", "gpu"], "unknown device 'gpu'; it is auto, cpu, cuda, cuda:N or mps"),
        (["--fp16"], "--fp16 needs a CUDA device, this is cpu; use --bf16 instead"),
        (["--fp16", "--bf16"], "--fp16 and --bf16 together: choose one"),
        (["-d", "3"], "-b 4: does not divide among 3 processes"),
        (["--num_machines", "2"], "needs --dist-url"),
        (["--dist-url", "tcp://x"], "--dist-url"),
        (["-o"], "-o reserves CUDA memory"),
        (["-e", "3"], "-e needs --resume"),
        (["-c", "nowhere.pth"], "no checkpoint nowhere.pth"),
        (["--resume"], "no checkpoint"),
        (["--seed", "-1"], "--seed -1: at least 0"),
        (["--seed", "1", "seed", "2"], "--seed 1 and seed 2: choose one"),
        (["-b", "0"], "-b 0: at least 1"),
        (["--data", "/nowhere/at/all"], "/nowhere/at/all"),
        (["-f", "nowhere.py"], "no Exp file nowhere.py"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(
    words: list[str], says: str, train_main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train_main(*words) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert says in errors[0]
    assert not list((tmp_path / "out").rglob("*_ckpt.pth"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without_an_image, "000"),
        (with_broken_json, "instances_val2017.json"),
        (with_a_broken_image, "000"),
    ],
)
def test_bad_data_gets_one_line(
    spoil: Callable, says: str, drawn: Path, tmp_path: Path, train_main: Callable,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    assert train_main(data=spoil(drawn, tmp_path)) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert says in last


def test_a_broken_image_in_a_worker_process_is_one_line_too(
    drawn: Path, tmp_path: Path, train_main: Callable, capsys: pytest.CaptureFixture
) -> None:
    folder = with_a_broken_image(drawn, tmp_path)
    assert train_main("--skip-doctor", "data_num_workers", 1, data=folder) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert str(folder) in last


def test_too_few_classes_are_refused(
    train_main: Callable, drawn: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train_main("data_dir", drawn, "num_classes", 3, data=None) == 2
    assert "has 5 categories, num_classes is 3; set it to 5" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_refused(
    train_main: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    other = tmp_path / "other.pth"
    save_checkpoint({"model": load_exp(name="yolox-nano").get_model().state_dict()}, other)
    assert train_main("-c", other) == 2
    assert f"{other} holds another model" in capsys.readouterr().err


def test_without_any_data_it_says_how_to_give_it(
    train_main: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("YOLOX_DATADIR", str(tmp_path))
    assert train_main(data=None) == 2
    assert "error: no data: give --data DIR" in capsys.readouterr().err.splitlines()[-1]


def test_an_edited_exp_file_is_another_experiment(
    train_main: Callable, exp_file: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train_main() == 0
    exp_file.write_text(EXP + "    def preprocess(self, *a):\n        return a[:2]\n")
    assert train_main("--resume") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "is of another run: Exp file " in last


def test_flags_are_not_abbreviated(train_main: Callable) -> None:
    with pytest.raises(SystemExit):
        train_main("--res")


OWN_FAULT = "    def preprocess(self, *a):\n        raise KeyError('oops')\n"


def test_a_fault_is_raised_as_it_is_and_the_record_says_failed(
    train_main: Callable, exp_file: Path, tmp_path: Path
) -> None:
    exp_file.write_text(EXP + OWN_FAULT)
    with pytest.raises(KeyError, match="oops"):
        train_main()
    assert read_record(tmp_path / "out/tiny").state == "failed"


@pytest.mark.slow
def test_the_entry_point_ends_with_the_real_error(
    exp_file: Path, drawn: Path, tmp_path: Path
) -> None:
    """As a process: a fault keeps its traceback and exits 1; the user's mistake is one line, 2."""
    exp_file.write_text(EXP + OWN_FAULT)
    train = [sys.executable, str(ROOT / "tools/train.py"), "-f", str(exp_file), "-b", "4"]
    train += ["--device", "cpu", "--data", str(drawn)]
    run = subprocess.run([*train, "output_dir", str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.rstrip().endswith("KeyError: 'oops'")
    run = subprocess.run([*train, "max_epok", "3"], capture_output=True, text=True)
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
