"""Whatever bytes come in from outside: a result, or one line that says what is wrong with them.

Never a traceback, never a hang, never more memory than a machine has.
"""

import contextlib
import json
import resource
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from judged_runs import draw_detections, draw_truth
from mutated import (
    SCALARS,
    VALUES,
    Drawn,
    cuts,
    damaged,
    json_bytes,
    jsonl_bytes,
    mutated,
    swept,
)
from planned import make_plan
from run_folders import make_record
from torch import nn

from yolox_attn.coco.annotations import read_annotations, read_truth, truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.coco.results import read_detections
from yolox_attn.core.checkpoint import read_resumable
from yolox_attn.core.resume import check_resume
from yolox_attn.core.weights import load_weights
from yolox_attn.data.doctor import examine_splits, load_split
from yolox_attn.errors import InputError
from yolox_attn.exp import apply_overrides, load_exp
from yolox_attn.report import as_csv, as_text, build_comparison, find_runs
from yolox_attn.runs import METRICS_NAME, RECORD_NAME, read_metrics, write_record
from yolox_attn.runs.metrics import set_damaged_aside
from yolox_attn.stats.bootstrap import image_groups
from yolox_attn.study.plan import ADDED_NAME, ATTEMPTS_NAME, PLAN_NAME, read_plan, write_plan
from yolox_attn.study.planned_run import read_added, read_attempts

SECONDS = 60  # of one example, on a busy machine too
MEMORY = 2 << 30  # bytes beyond what the process has
Border = tuple[Drawn, Callable[[Path, Any], object]]


class TooLong(Exception):
    """An example that did not come to an end."""


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Let what is done meanwhile end in time, and find no more memory than it needs."""

    def late(*_: object) -> None:
        raise TooLong

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, late)
    try:
        signal.alarm(SECONDS)
        with contextlib.suppress(ValueError):  # macOS has no such limit
            most = psutil.Process().memory_info().vms + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def attack(border: Border, folder: Path, content: Any) -> None:
    """Show one example at a border."""
    try:
        with limits():
            border[1](folder, content)
    except InputError as error:
        assert str(error)


SMALL = draw_truth(images=4)
FOUND = draw_detections(SMALL, 0.1, seed=1)
TRUTH = truth_from(SMALL)


EVALUATED = {
    "checkpoint": {"file": "runs/x/latest_ckpt.pth", "sha256": "c" * 64}, "experiment": "x",
    "data_dir": "data", "split": "test", "annotations": "t.json", "precision": "fp32",
    "device": "cpu x86_64", "processes": 1, "test_size": [320, 320], "metrics": {"AP": 0.4},
    "images": 4,
}  # fmt: skip


def file_with(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def annotations(folder: Path, content: bytes) -> object:
    path = file_with(folder, "a.json", content)
    return read_annotations(path), match(read_truth(path), FOUND)


def doctor(folder: Path, content: bytes) -> object:
    for name in ("train", "val"):
        images = folder / f"{name}2017"
        if not images.exists():
            images.mkdir()
            for image in SMALL["images"]:
                size = image["height"], image["width"], 3
                cv2.imwrite(str(images / image["file_name"]), np.zeros(size, np.uint8))
    train = file_with(folder, "annotations/train.json", content)
    val = file_with(folder, "annotations/val.json", json.dumps(SMALL).encode())
    scratch = folder / f"scratch{secrets.token_hex(8)}"
    loaded = {
        "train": load_split(train, None, "train", scratch)[0],
        "val": load_split(val, "val2017", "val", scratch)[0],
    }
    splits = {name: each for name, each in loaded.items() if each is not None}
    return examine_splits(splits, num_classes=2, full=True, max_labels=4).lines()


def results(folder: Path, content: bytes) -> object:
    return match(TRUTH, read_detections(file_with(folder, "r.json", content)))


def run_record(folder: Path, content: bytes) -> object:
    for name in ("yolox_s", "yolox_s_cam"):
        write_record(folder / name, make_record(name, 0, 0.4))
    file_with(folder, f"yolox_s/{RECORD_NAME}", content)
    comparison = build_comparison(find_runs([folder / "yolox_s", folder / "yolox_s_cam"]))
    return as_text(comparison), as_csv(comparison)


def metrics(folder: Path, content: bytes) -> object:
    file_with(folder, METRICS_NAME, content)
    with contextlib.suppress(InputError):
        read_metrics(folder)
    set_damaged_aside(folder)
    return read_metrics(folder)


def plan(folder: Path, content: bytes) -> object:
    file_with(folder, PLAN_NAME, content)
    return read_plan(folder)


def attempts(folder: Path, content: bytes) -> object:
    file_with(folder, ATTEMPTS_NAME, content)
    return read_attempts(folder)


def added(folder: Path, content: bytes) -> object:
    file_with(folder, ADDED_NAME, content)
    return read_added(folder)


def evaluation(folder: Path, content: bytes) -> object:
    for name in ("yolox_s", "yolox_s_cam"):
        write_record(folder / name, make_record(name, 0, 0.4))
        file_with(folder / name, "eval_test/evaluation.json", json.dumps(EVALUATED).encode())
    file_with(folder, "yolox_s/eval_test/evaluation.json", content)
    found = find_runs([folder / "yolox_s", folder / "yolox_s_cam"])
    comparison = build_comparison(
        [replace(run, evaluation=run.folder / "eval_test") for run in found]
    )
    return as_text(comparison), as_csv(comparison)


def overrides(_: Path, words: list[str]) -> object:
    exp = load_exp(None, "yolox-nano-cam")
    apply_overrides(exp, words)
    exp.check()
    return None


def groups(folder: Path, content: bytes) -> object:
    return image_groups(TRUTH, str(file_with(folder, "g.csv", content)))


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(1, 2, 1)
        self.head = nn.BatchNorm2d(2)


def checkpoint(folder: Path, content: Any) -> object:
    path = folder / "latest_ckpt.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        try:
            torch.save(content, path)
        except (RuntimeError, ValueError, OverflowError, RecursionError, UnicodeError):
            return None  # torch has no such file
    load_weights(Detector(), path)
    state = read_resumable(path, torch.device("cpu"))
    return check_resume(state, PROTOCOL, {"deterministic": True}, path=path, insist=True)


PROTOCOL = {"seed": 0, "max_epoch": 3}
WEIGHTS = Detector().state_dict()
STATE: dict[str, Any] = {
    "model": dict(WEIGHTS), "weights": dict(WEIGHTS), "start_epoch": 1, "start_iter": 0,
    "best_ap": 0.5, "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}},
                                  "param_groups": [{"lr": 0.1, "params": [0]}]},
    "ranks": [{"rng": torch.zeros(4, dtype=torch.uint8)}], "protocol": PROTOCOL,
    "environment": {"device": "cpu x86_64", "deterministic": True}, "input_size": [64, 64],
    "scaler": {}, "epoch_sums": {"losses": {}},
}  # fmt: skip
TENSORS: list[Any] = [
    torch.tensor(float("nan")), torch.zeros(0), torch.zeros(2, 1, 1, 1, dtype=torch.int8),
    torch.zeros(2, 1, 1, 1, dtype=torch.complex64), torch.zeros(2, dtype=torch.float64),
    torch.zeros(1).expand(10**9), torch.eye(2).to_sparse(), torch.empty(2, device="meta"),
    torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.float8_e4m3fn),
    torch.zeros(2, dtype=torch.bool), {1, 2}, b"bytes", 1j, (1, 2), {1: 2},
    nn.Parameter(torch.ones(2)),
]  # fmt: skip


def saved(state: Any, folder: Path) -> bytes:
    torch.save(state, folder / "state.pth")
    return (folder / "state.pth").read_bytes()


NAMES = sorted(vars(load_exp(None, "yolox-nano-cam")))
ODD = [
    "0", "-1", "1e999", "nan", "10" * 200, "None", "True", "()", "(1,2)", "[[[", "{}", "x" * 300,
    "\udcff", "\x00", "__import__('os')", "1,2", "cam", "9" * 5000, "(" * 300, "{'dark3':'cam'}",
    "-" * 3000 + "1", "0x10", "1_0", "\n",
]  # fmt: skip
EACH_NAMED = [[name, ODD[(7 * number + k) % len(ODD)]]
              for number, name in enumerate(NAMES) for k in range(3)]  # fmt: skip
WORDS = st.sampled_from(ODD) | st.text(max_size=8)
OVERRIDES = st.lists(st.tuples(st.sampled_from(NAMES) | WORDS, WORDS), max_size=3).map(
    lambda pairs: [word for pair in pairs for word in pair]
) | st.lists(WORDS, max_size=3)
CSV = "image,group\n" + "".join(
    f"{image['id']}.jpg,{image['id'] % 2}\n" for image in SMALL["images"]
)
CSV_TEXT = st.lists(
    st.sampled_from(
        ["image", "group", ",", "\n", "\r", '"', "1.jpg", "2.jpg", "a", "\x00", ";", "\ufeff"]
    ),
    max_size=30,
).map(lambda parts: "".join(parts).encode())  # fmt: skip
ATTEMPT = {
    "variant": "v", "seed": 0, "work": "train", "started": "2026-01-01T00:00:00+00:00",
    "ended": "2026-01-01T00:00:00+00:00", "code": 0, "error": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Documents as the package writes them."""
    folder = tmp_path_factory.mktemp("valid")
    write_record(folder, make_record("yolox_s", 0, 0.4))
    write_plan(folder / "study", make_plan())
    return {
        "record": json.loads((folder / RECORD_NAME).read_text()),
        "plan": json.loads((folder / "study" / PLAN_NAME).read_text()),
        "checkpoint": saved(STATE, folder),
    }


def borders(valid: dict[str, Any]) -> dict[str, Border]:
    """Each place where bytes come in from outside: what comes, and what takes it."""
    return {
        "annotations": (json_bytes(SMALL), annotations),
        "doctor": (json_bytes(SMALL), doctor),
        "results": (json_bytes(FOUND[:6]), results),
        "run record": (json_bytes(valid["record"]), run_record),
        "metrics": (jsonl_bytes([{"epoch": 1, "AP": 0.1}, {"epoch": 2, "loss": 3.5}]), metrics),
        "plan": (json_bytes(valid["plan"]), plan),
        "attempts": (jsonl_bytes([ATTEMPT, ATTEMPT]), attempts),
        "added": (json_bytes({"v/seed0": {"folder": "x", "record_sha256": "ab"}}), added),
        "evaluation": (json_bytes(EVALUATED), evaluation),
        "checkpoint": (
            (mutated(STATE, VALUES | st.sampled_from(TENSORS)), swept(STATE, TENSORS + SCALARS)),
            checkpoint,
        ),
        "checkpoint's bytes": (
            (damaged(valid["checkpoint"]), cuts(valid["checkpoint"])),
            checkpoint,
        ),
        "overrides": ((OVERRIDES, EACH_NAMED), overrides),
        "groups": ((CSV_TEXT | damaged(CSV.encode()), cuts(CSV.encode())), groups),
    }


BORDERS = [
    "annotations", "doctor", "results", "run record", "metrics", "plan", "attempts", "added",
    "evaluation", "checkpoint", "checkpoint's bytes", "overrides", "groups",
]  # fmt: skip


def header_renamed(content: bytes) -> bytes:
    """A zip archive whose first member has a name that is no UTF-8, where the list has another."""
    return content.replace(b"state/data.pkl", b"\xc3tate/data.pkl", 1)


def on_another_disk(content: bytes) -> bytes:
    """A zip archive whose list of contents is said to lie on a second disk."""
    return content.replace(b"PK\x06\x07\0", b"PK\x06\x07\1", 1)


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
FOUND_ONCE = [  # each was a traceback
    ("attempts", b'{"variant": "v"}\n"\\udcff"\n'),
    ("evaluation", json.dumps(EVALUATED | {"checkpoint": None}).encode()),
    ("evaluation", json.dumps(EVALUATED | {"checkpoint": {"sha256": "c"}}).encode()),
    ("evaluation", json.dumps(EVALUATED | {"test_size": "320"}).encode()),
    ("checkpoint", STATE | {"optimizer": {"x": torch.eye(2).to_sparse()}}),
    ("checkpoint", STATE | {"ranks": [torch.zeros(1).expand(10**9)]}),
    ("checkpoint", STATE | {"scaler": {"x": CYCLE}}),
    ("checkpoint", STATE | {"protocol": {"seed": torch.zeros(0)}}),
    ("checkpoint", STATE | {"protocol": {1: 2}}),
    ("checkpoint's bytes", header_renamed),
    ("checkpoint's bytes", on_another_disk),
]


@pytest.mark.parametrize(("name", "content"), FOUND_ONCE)
def test_what_was_found_is_refused(
    name: str, content: Any, valid: dict[str, Any], tmp_path: Path
) -> None:
    given = content(valid["checkpoint"]) if callable(content) else content
    with pytest.raises(InputError), limits():
        borders(valid)[name][1](tmp_path, given)


@pytest.mark.parametrize("name", BORDERS)
def test_each_value_in_turn_gives_a_result_or_one_line(
    name: str, valid: dict[str, Any], tmp_path: Path
) -> None:
    border = borders(valid)[name]
    for content in border[0][1]:
        attack(border, tmp_path, content)


@pytest.mark.slow
@pytest.mark.parametrize("name", BORDERS)
def test_ten_thousand_drawn_give_a_result_or_one_line(
    name: str, valid: dict[str, Any], tmp_path: Path
) -> None:
    number = secrets.randbits(32)
    print(f"{name}: seed {number}")
    show(borders(valid)[name], 10_000, number, tmp_path)


def show(border: Border, examples: int, number: int, folder: Path) -> None:
    """Show a border as many drawn examples; what fails is made as small as it can be."""

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(border[0][0])
    def each(content: Any) -> None:
        attack(border, folder, content)

    each()
