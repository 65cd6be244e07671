import re
from pathlib import Path
from typing import Any

import pytest
from planned import make_request

from yolox_attn.errors import InputError
from yolox_attn.runs.codec import file_hash
from yolox_attn.study.plan import Training
from yolox_attn.study.planner import check_request, with_whole_paths


def test_paths_are_whole_and_the_checkpoint_has_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.pth").write_bytes(b"weights")
    overrides = ("max_epoch", "3", "data_dir", "there")
    found = with_whole_paths(Training("here", checkpoint="w.pth", overrides=overrides))
    root = tmp_path.resolve()
    assert found.data == str(root / "here")
    assert found.checkpoint == str(root / "w.pth")
    assert found.checkpoint_sha256 == file_hash(Path("w.pth"))
    assert found.overrides == ("max_epoch", "3", "data_dir", str(root / "there"))


def test_what_is_not_given_stays_so() -> None:
    assert with_whole_paths(Training(None)) == Training(None)


def test_a_sound_request_passes() -> None:
    check_request(
        make_request("yolox-nano", Path("data"), overrides=("attention_init", "identity"))
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": (1, 2, 1)}, "--seeds: 1 stands there twice"),
        ({"seeds": (0, -1)}, "--seeds -1: a seed is from 0"),
        ({"seeds": ()}, "--seeds: at least 1"),
        ({"split": "train"}, "--split train: it is val or test"),
        ({"batch_size": 0}, "--batch-size 0: at least 1"),
        ({"accumulate": 0}, "--accumulate 0: at least 1"),
        ({"threads": 0}, "--threads 0: at least 1"),
        ({"checkpoint": "nowhere.pth"}, "no checkpoint nowhere.pth"),
        ({"overrides": ("attention", "se")}, "override attention: a study sets it by itself"),
        (
            {"overrides": ("max_epoch", "5", "attention_options", "{}")},
            "override attention_options",
        ),
        ({"overrides": ("seed", "1")}, "override seed: a study sets it by itself"),
        ({"overrides": ("output_dir", "x")}, "override output_dir: a study sets it by itself"),
        ({"overrides": ("exp_name", "x")}, "override exp_name: a study sets it by itself"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        check_request(make_request("yolox-nano", Path("data"), **changes))
    assert "\n" not in str(refused.value)
