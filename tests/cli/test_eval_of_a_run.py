"""`eval RUN_FOLDER`, and -f with the record that it finds: the run's own numbers, or a word."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from planned import with_test_split, write_exp

from yolox_attn.cli.eval import main
from yolox_attn.cli.train import main as train
from yolox_attn.exp import load_exp
from yolox_attn.runs import read_record

LINES = ("self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 1, 0, 0",)
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of cam in identity start, trained at 64 pixels from eager weights."""
    home = tmp_path_factory.mktemp("made")
    data = with_test_split(drawn, home / "data")
    exp_file = write_exp(home, "mine", *LINES)
    exp = load_exp(exp_file)
    exp.num_classes = 5
    model = exp.get_model()
    for layer in (*model.head.obj_preds, *model.head.cls_preds):
        torch.nn.init.constant_(layer.bias, 1.0)
        torch.nn.init.normal_(layer.weight, std=0.5)
    torch.save({"model": model.state_dict()}, home / "start.pth")
    words = ["-f", exp_file, "--data", str(data), "--device", "cpu", "-b", "4", "--seed", "0"]
    words += ["-c", str(home / "start.pth"), "--size", "64", "attention", "cam"]
    words += ["attention_init", "identity", "basic_lr_per_img", "1e-6"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("OMP_NUM_THREADS", "1")
        assert train(words) == 0
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def evaluate(capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function: words of the command -> exit code, stdout, stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*words, "--device", "cpu", "-b", "4"])  # as its training evaluates
        return (code, *capsys.readouterr())

    return call


RUN = Path("YOLOX_outputs/mine/seed0")


def detections(folder: Path) -> bytes:
    return (folder / "detections.json").read_bytes()


def test_the_folder_alone_gives_the_runs_own_numbers(home: Path, evaluate: Call) -> None:
    code, out, err = evaluate(str(RUN))
    assert code == 0
    assert "val split (5 images of instances_val2017.json in " in out
    assert "/data) at 64x64, fp32, on cpu" in out
    assert len(json.loads(detections(RUN))) > 20
    assert detections(RUN / "eval_val") == detections(RUN)
    assert "attention none -> cam" in err
    assert "num_classes 80 -> 5" in err
    assert evaluate(str(RUN))[0] == 0  # again, over the same evaluation


def test_so_does_the_training_lines_own_experiment(home: Path, evaluate: Call) -> None:
    words = ("-f", "mine.py", "--data", "data", "--seed", "0")
    assert evaluate(*words)[0] == 0
    assert detections(RUN / "eval_val") == detections(RUN)


@pytest.mark.parametrize(
    ("words", "folder", "says"),
    [
        (("--tsize", "96"), "eval_val_96x96", "test_size [96, 96] (the run's is [64, 64])"),
        (("--size", "96"), "eval_val_96x96", "test_size [96, 96] (the run's is [64, 64])"),
        (("test_size", "96,96"), "eval_val_96x96", "test_size [96, 96] (the run's"),
        (("--conf", "0.5"), "eval_val_conf0.5", "test_conf 0.5 (the run's is 0.01)"),
        (("nmsthre", "0.4"), "eval_val_nms0.4", "nmsthre 0.4 (the run's is 0.65)"),
        (("--test",), "eval_test", "on test"),
        (("--bf16", "--fuse"), "eval_val_bf16_fused", "fused"),
        (("-c", str(RUN / "latest_ckpt.pth")), "eval_val_latest", "latest_ckpt.pth on val"),
    ],
)
def test_what_is_asked_for_wins_is_said_and_gets_a_folder_of_its_own(
    home: Path, evaluate: Call, words: tuple[str, ...], folder: str, says: str
) -> None:
    for named in ((str(RUN),), ("-f", "mine.py", "--data", "data", "--seed", "0")):
        shutil.rmtree(RUN / folder, ignore_errors=True)
        code, _, err = evaluate(*named, *words)
        assert code == 0
        assert says in err
        assert (RUN / folder / "evaluation.json").is_file()
    assert [each.name for each in RUN.glob("eval*")] == [folder]


def test_from_another_folder_and_with_the_data_elsewhere(
    home: Path, evaluate: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (away := tmp_path / "away").mkdir()
    moved = shutil.copytree("data", away / "data")
    monkeypatch.chdir(away)
    record = json.loads((home / RUN / "run.json").read_text())
    record["exp_file"] = str(home / "mine.py")  # this copy's own
    (home / RUN / "run.json").write_text(json.dumps(record))
    assert Path(record["data"]["dir"]).is_absolute()
    assert Path(record["pretrained"]["file"]).is_absolute()
    assert evaluate(str(home / RUN))[0] == 0
    assert evaluate(str(home / RUN), "--data", str(moved))[0] == 0  # the same annotations
    assert [each.name for each in (home / RUN).glob("eval*")] == ["eval_val"]
    file = moved / "annotations/instances_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"] = content["annotations"][1:]
    file.write_text(json.dumps(content))
    assert evaluate(str(home / RUN), "--data", str(moved))[0] == 0
    assert len(list((home / RUN).glob("eval_val_data-*"))) == 1


def test_an_exp_file_that_changed_or_is_gone_is_not_run(home: Path, evaluate: Call) -> None:
    source = Path(read_record(RUN).exp_file or "")
    kept = source.read_text()
    try:
        source.write_text(f"{kept}\nraise SystemExit('run')\n")
        code, _, err = evaluate(str(RUN))
        assert (code, err.count("\n")) == (2, 1)
        assert "has changed since the run was made" in err
        assert "-f FILE -c YOLOX_outputs/mine/seed0/best_ckpt.pth" in err
        source.unlink()
        assert (
            f"is gone; if another file is the run's experiment: -f FILE -c {RUN}/best"
            in (evaluate(str(RUN))[2])
        )
    finally:
        source.write_text(kept)
    record = json.loads((RUN / "run.json").read_text())
    record |= {"exp_sha256": None, "exp_file": str(home / "mine.py")}
    (RUN / "run.json").write_text(json.dumps(record))
    assert "has no sha256 of its Exp file" in evaluate(str(RUN))[2]
    best = str(RUN / "best_ckpt.pth")
    assert evaluate("-f", "mine.py", "-c", best)[0] == 0  # as the line says
    assert detections(RUN / "eval_val") == detections(RUN)


def test_what_the_exp_file_imports_is_of_the_run_too(
    home: Path, evaluate: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "block_of_this_test.py").write_text("width = 1\n")
    exp_file = write_exp(home, "importing", *LINES, "import block_of_this_test")
    words = ["-f", exp_file, "--data", "data", "--device", "cpu", "-b", "4", "--seed", "0"]
    assert train([*words, "--size", "64"]) == 0
    run = "YOLOX_outputs/importing/seed0"
    assert evaluate(run)[0] == 0
    (home / "block_of_this_test.py").write_text("width = 2\n")
    code, _, err = evaluate(run)
    assert code == 2
    assert "block_of_this_test.py, which the run's Exp file imports, has changed since" in err
    code, _, err = evaluate("-f", exp_file, "--data", "data", "--seed", "0")
    assert code == 0
    assert "changed since the run was made" in err
    capsys.readouterr()
    assert train([*words, "--size", "64", "--resume"]) == 2
    assert "file block_of_this_test.py" in capsys.readouterr().err


def test_a_run_that_did_not_end_well_is_said_to_be_one(home: Path, evaluate: Call) -> None:
    record = json.loads((RUN / "run.json").read_text())
    (RUN / "run.json").write_text(json.dumps(record | {"state": "failed"}))
    assert "this run failed after 1 epoch" in evaluate(str(RUN))[2]
    (RUN / "best_ckpt.pth").unlink()
    code, _, err = evaluate(str(RUN))
    assert code == 2
    assert "has not been evaluated yet: -c YOLOX_outputs/mine/seed0/latest_ckpt.pth" in err


def test_data_that_are_gone_are_asked_for(home: Path, evaluate: Call) -> None:
    record = json.loads((RUN / "run.json").read_text())
    record["data"]["dir"] = record["config"]["data_dir"] = str(home / "gone")
    (RUN / "run.json").write_text(json.dumps(record))
    code, _, err = evaluate(str(RUN))
    assert code == 2
    assert "give --data DIR" in err
    assert evaluate(str(RUN), "--data", "data")[0] == 0


def test_another_evaluation_is_not_written_over(home: Path, evaluate: Call) -> None:
    assert evaluate(str(RUN), "--output", "out")[0] == 0
    code, _, err = evaluate(str(RUN), "--output", "out", "--conf", "0.5")
    assert (code, err.count("\n")) == (2, 1)
    assert "out holds another evaluation (confidence 0.01 there, 0.5 here)" in err
    (RUN / "eval_val").mkdir()
    (RUN / "eval_val/evaluation.json").write_text("[]")
    assert "not what the eval command writes" in evaluate(str(RUN))[2]


def test_another_experiments_checkpoint_is_not_taken_for_ones_own(
    home: Path, evaluate: Call
) -> None:
    other = write_exp(home, "other", *LINES, "self.attention = 'se'")
    code, _, err = evaluate("-f", other, "--data", "data", "-c", str(RUN / "best_ckpt.pth"))
    assert code == 2
    assert "holds another model" in err


def test_other_images_get_a_folder_of_their_own(home: Path, evaluate: Call) -> None:
    shutil.copytree("data", "corrupted")
    for file in Path("corrupted/val2017").iterdir():
        file.write_bytes(file.read_bytes() + b"\0")
    assert evaluate(str(RUN), "--data", "corrupted")[0] == 0
    (folder,) = RUN.glob("eval*")
    assert folder.name.startswith("eval_val_data-")


def test_a_run_made_anew_has_no_evaluations_of_the_old_one(home: Path, evaluate: Call) -> None:
    assert evaluate(str(RUN))[0] == 0
    words = ["--overwrite", "-f", "mine.py", "--data", "data", "--device", "cpu", "-b", "4"]
    assert train([*words, "--seed", "0", "--size", "96"]) == 0
    assert not list(RUN.rglob("evaluation.json"))
    code, out, _ = evaluate(str(RUN))
    assert code == 0
    assert "at 96x96" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "which run? give RUN_FOLDER, or -f"),
        (("nowhere",), "nowhere: no such run folder"),
        (("YOLOX_outputs/mine",), "it has no run.json; runs in it: seed0"),
        ((str(RUN), "-f", "mine.py"), "and -f: give RUN_FOLDER or the experiment, not both"),
        ((str(RUN), "-expn", "x"), "-expn x: RUN_FOLDER names the run; drop -expn"),
        ((str(RUN), "test_conf"), "which run?"),
        ((str(RUN), "--seed", "1"), "--seed 1: YOLOX_outputs/mine/seed0 is the run of seed 0"),
        ((str(RUN), "--output", str(RUN)), "it is a run's folder; give one of its own"),
        ((str(RUN), "--data", "gone"), "gone"),
        ((str(RUN), "test_ann", "x.json", "--test"), "these data have no test split: no file"),
        ((str(RUN), "num_classes", "7"), "has a class layer of 5 classes, the data here have 7"),
        (("-f", "mine.py", "--data", "data"), "runs in that folder: seed0: give --seed"),
        ((str(RUN), "-c", "start.pth", "attention_init", "published"), "lacks 9 tensors of atten"),
        ((str(RUN), "attention", "se"), "holds another model"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    home: Path, evaluate: Call, words: tuple[str, ...], says: str
) -> None:
    code, out, err = evaluate(*words)
    assert code == 2
    assert out == ""
    assert says in next(line for line in err.splitlines() if line.startswith("error: "))
    assert not list(Path("YOLOX_outputs").rglob("eval*"))


def test_the_seed_finds_its_folder(home: Path, evaluate: Call) -> None:
    assert evaluate("YOLOX_outputs/mine", "--seed", "0")[0] == 0
    assert detections(RUN / "eval_val") == detections(RUN)


def test_weights_that_are_no_runs_get_a_folder_of_their_own(home: Path, evaluate: Call) -> None:
    words = ("-f", "mine.py", "--data", "data", "-c", "start.pth", "--size", "64")
    assert evaluate(*words)[0] == 0
    assert (Path("YOLOX_outputs/mine/eval_val_start") / "evaluation.json").is_file()
    assert evaluate(*words[:-1], "96")[0] == 0
    assert (Path("YOLOX_outputs/mine/eval_val_start_96x96") / "evaluation.json").is_file()


def test_the_command_again_with_resume_goes_on_from_its_own_checkpoint(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--resume", "-f", "mine.py", "attention", "cam", "--data", "data", "--device", "cpu"]
    words += ["-b", "4", "--seed", "0", "attention_init", "identity", "-c", "start.pth"]
    words += ["basic_lr_per_img", "1e-6", "--size", "64", "-o"]
    assert train(words) == 0
    err = capsys.readouterr().err
    assert "-c start.pth: what this run began with" in err
    assert "this run is finished after epoch 1" in err
    assert "-o reserves CUDA memory: nothing to reserve on cpu" in err
    record = read_record(RUN)
    assert record.pretrained is not None
    assert record.pretrained["file"].endswith("start.pth")
    assert 0 <= record.pretrained["AP"] < 1


def test_weights_that_are_gone_by_now_are_left_aside_too(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads((RUN / "run.json").read_text())
    record["pretrained"]["file"] = str(home / "start.pth")  # of this copy
    (RUN / "run.json").write_text(json.dumps(record))
    (home / "start.pth").unlink()
    words = ["--resume", "-f", "mine.py", "--data", "data", "--device", "cpu", "-b", "4"]
    words += ["--seed", "0", "-c", "start.pth", "--size", "64", "attention", "cam"]
    words += ["attention_init", "identity", "basic_lr_per_img", "1e-6"]
    assert train(words) == 0
    assert train([*words[:-8], "-c", "else.pth", *words[-6:]]) == 2
    assert "no checkpoint else.pth" in capsys.readouterr().err


def test_any_other_checkpoint_is_what_the_run_goes_on_from(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copy(RUN / "latest_ckpt.pth", "other.pth")
    words = ["-f", "mine.py", "--data", "data", "--device", "cpu", "-b", "4", "--seed", "0"]
    words += ["-c", other, "--size", "64", "attention", "cam", "attention_init", "identity"]
    assert train([*words, "basic_lr_per_img", "1e-6", "--resume"]) == 2
    err = capsys.readouterr().err
    assert "YOLOX_outputs/mine/seed0 holds a run" in err
    assert "drop -c to go on with the run" in err
