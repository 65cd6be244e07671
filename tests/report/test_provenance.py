from collections.abc import Callable
from pathlib import Path

import pytest

from yolox_attn.report import compare, find_runs
from yolox_attn.report.build import training_command
from yolox_attn.runs import read_record

WriteRun = Callable[..., Path]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/home/x/tools/train.py", "-n", "yolox-s"], "python tools/train.py -n yolox-s"),
        (["tools/train.py", "-f", "my exp.py"], "python tools/train.py -f 'my exp.py'"),
        (["/env/bin/yolox-attn", "train", "-b", "8"], "yolox-attn train -b 8"),
        (
            ["/env/yolox_attn/cli/__main__.py", "train", "-n", "x"],
            "python -m yolox_attn.cli train -n x",
        ),
        (["/home/x/own.py", "--fast"], "/home/x/own.py --fast"),
        (["tools/train.py", "-n", "x", "--resume"], "python tools/train.py -n x"),
        (
            ["tools/train.py", "--resume", "-c", "latest.pth", "-n", "x"],
            "python tools/train.py -n x",
        ),
        (["tools/train.py", "--resume", "--ckpt=l.pth", "-n", "x"], "python tools/train.py -n x"),
        (["tools/train.py", "-n", "x", "-c", "w.pth"], "python tools/train.py -n x -c w.pth"),
    ],
)
def test_the_command_that_trains_it_again(
    write_run: WriteRun, words: list[str], expected: str
) -> None:
    assert training_command(read_record(write_run("yolox_s", command=words))) == expected


def test_a_continued_run_begins_again_with_the_weights_it_began_with(write_run: WriteRun) -> None:
    pretrained = {"file": "coco.pth", "sha256": "d" * 64}
    for words, expected in (
        (["tools/train.py", "-n", "x", "--resume"], "python tools/train.py -c coco.pth -n x"),
        (["yolox-attn", "train", "--resume", "-n", "x"], "yolox-attn train -c coco.pth -n x"),
    ):
        folder = write_run("yolox_s", command=words, pretrained=pretrained)
        assert training_command(read_record(folder)) == expected


def test_what_all_runs_share_is_told_and_nothing_else(write_run: WriteRun) -> None:
    words = ["tools/train.py", "-n", "yolox-s"]
    other = {"threads": 8, "versions": {"torch": "2.9", "yolox": "0.4"}}
    data = {"dir": "elsewhere"}
    folders = [write_run("yolox_s", seed, command=words, cpu="a chip") for seed in (0, 1)]
    folders.append(write_run("yolox_s_cam", command=["own"], cpu="a chip", data=data, **other))
    found = compare(find_runs(folders))
    assert found.software == {"torch": "2.9"}
    assert "threads" not in found.hardware
    assert found.hardware["cpu"] == "a chip"
    assert found.hardware["device"] == "cpu x86_64"
    assert "dir" not in found.data
    assert (found.data["val_ann"], found.data["val_sha256"]) == ("v.json", "b" * 64)
    assert found.commands == ("python tools/train.py -n yolox-s", "own")
