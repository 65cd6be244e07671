"""The convert command; and a set of another layout on the way to an AP."""

import json
from pathlib import Path

import pytest
from layouts import as_roboflow, as_voc, as_yolo
from planned import write_exp

from yolox_attn.cli.convert import main
from yolox_attn.cli.train import main as train


def test_it_says_what_became_of_the_set(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, output = as_yolo(drawn, tmp_path / "yolo"), tmp_path / "out"
    next((root / "labels/train").iterdir()).unlink()
    assert main([str(root), "-o", str(output)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{root}: YOLO, 5 classes: ")
    assert said[1].startswith("  train: 12 images, ")
    assert said[2].startswith("  val: 5 images, ")
    assert said[3] == "  1 image without a label file: background"
    assert said[4].endswith(f"doctor --data {output}")
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["layout"] == "YOLO"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--split-seed", "1"], "--split-seed and --split-by need --split"),
        (["--split", "2"], "--split 2: the share to train on"),
        (["--split", "0.5"], "has splits of its own: train, val"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    drawn: Path, tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root, output = as_voc(drawn, tmp_path / "voc"), tmp_path / "out"
    assert main([str(root), "-o", str(output), *words]) == 2
    assert says in capsys.readouterr().err
    assert not output.exists()


def test_one_seed_gives_the_same_detections_in_every_layout(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same images in the same order, to the last bit of the last detection."""
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "cache"))
    exp = write_exp(
        tmp_path, "tiny", "self.max_epoch, self.warmup_epochs, self.test_conf = 1, 0, 0.0"
    )
    sets = {
        "coco": drawn,
        "voc": as_voc(drawn, tmp_path / "voc"),
        "yolo": as_yolo(drawn, tmp_path / "yolo") / "data.yaml",
        "roboflow": as_roboflow(drawn, tmp_path / "roboflow"),
    }
    found = {}
    for layout, data in sets.items():
        words = ["-f", exp, "-b", "4", "--device", "cpu", "--seed", "0", "-expn", layout]
        assert train([*words, "--data", str(data), "output_dir", str(tmp_path / "out")]) == 0
        text = (tmp_path / "out" / layout / "detections.json").read_text()
        found[layout] = [(each["bbox"], each["score"]) for each in json.loads(text)]
    assert found["coco"]
    assert found["voc"] == found["roboflow"] == found["coco"]
    assert [score for _, score in found["yolo"]] == [score for _, score in found["coco"]]
