"""Checkpoints that are none, are dangerous, or are of another run."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from bad_inputs.case import Case, Place

from yolox_attn.core import save_checkpoint

WEIGHTS = ("-c", "<root>/given.pth")


def given(content: bytes, place: Place) -> None:
    (place.root / "given.pth").write_bytes(content)


def truncated(place: Place) -> None:
    given((place.run / "latest_ckpt.pth").read_bytes()[:50_000], place)


def damaged(place: Place) -> None:
    """Change some bytes of every checkpoint, so that no other one can be taken."""
    for path in place.run.glob("*_ckpt.pth"):
        content = bytearray(path.read_bytes())
        start = len(content) // 2
        content[start : start + 64] = bytes(64 * [0x5A])
        path.write_bytes(content)


def only_latest_damaged(place: Place) -> None:
    for path in place.run.glob("*_ckpt.pth"):
        if path.name != "latest_ckpt.pth":
            path.unlink()
    path = place.run / "latest_ckpt.pth"
    path.write_bytes(path.read_bytes()[:50_000])


def without_checkpoints(place: Place) -> None:
    for path in place.run.glob("*_ckpt.pth"):
        path.unlink()


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def carrying_code(place: Place) -> None:
    torch.save({"model": Code()}, place.root / "given.pth")


def old_format_carrying_code(place: Place) -> None:
    content = {"optimizer": Code(), "start_epoch": 1, "model": {}}
    for path in place.run.glob("*_ckpt.pth"):
        torch.save(content, path, _use_new_zipfile_serialization=False)


def whole_model(place: Place) -> None:
    torch.save(torch.nn.Linear(1, 1), place.root / "given.pth")


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Place], None]:
    """Return what writes the run's newest checkpoint, changed, as the given one."""

    def spoil(place: Place) -> None:
        state = torch.load(place.run / "latest_ckpt.pth", weights_only=True)
        change(state)
        torch.save(state, place.root / "given.pth")

    return spoil


def poison(state: dict[str, Any], key: str) -> None:
    state[key]["head.stems.0.conv.weight"][0] = float("nan")


def drop_tensor(state: dict[str, Any]) -> None:
    del state["model"]["head.stems.1.conv.weight"]


def of_another_shape(state: dict[str, Any]) -> None:
    state["model"]["head.stems.1.conv.weight"] = torch.ones(3)


def without_weights(place: Place) -> None:
    save_checkpoint({"epoch": 3}, place.root / "given.pth")


def other_images(place: Place) -> None:
    place.change_json(lambda content: content["annotations"].pop())


def another_run(what: str) -> str:
    return (
        f"out/tiny/latest_ckpt.pth is of another run: {what}; give what it was saved with, or "
        "insist with --resume-anyway"
    )


def code(name: str) -> str:
    return (
        f"refused: it carries code ({name}), which loading would run; a checkpoint holds tensors "
        "and plain values only"
    )


CASES = [
    Case("missing", "no checkpoint <root>/given.pth", WEIGHTS),
    Case("a folder", "no checkpoint <run>", ("-c", "<run>")),
    Case(
        "empty",
        "<root>/given.pth: not a readable checkpoint: it is empty",
        WEIGHTS,
        partial(given, b""),
    ),
    Case(
        "text",
        "<root>/given.pth: not a readable checkpoint: it is no checkpoint, or not all of one",
        WEIGHTS,
        partial(given, b"these are my weights\n"),
    ),
    Case(
        "truncated",
        "<root>/given.pth: not a readable checkpoint: it is cut off",
        WEIGHTS,
        truncated,
    ),
    Case("code", "<root>/given.pth: " + code("...mkdir"), WEIGHTS, carrying_code),
    Case(
        "code in the old format",
        "out/tiny holds no readable checkpoint: out/tiny/latest_ckpt.pth: "
        + code("...mkdir")
        + " (and ... more)",
        (),
        old_format_carrying_code,
        mode="--resume",
    ),
    Case(
        "a whole model",
        "<root>/given.pth: " + code("torch.nn.modules.linear.Linear"),
        WEIGHTS,
        whole_model,
    ),
    Case(
        "no weights", "<root>/given.pth: no weights under the key 'model'", WEIGHTS, without_weights
    ),
    Case(
        "another model",
        (
            "<root>/given.pth holds another model: backbone.backbone.stem.conv.conv.weight "
            "is (8, 12, 3, 3) there and (16, 12, 3, 3) here (... tensors differ)"
        ),
        (*WEIGHTS, "width", "0.25"),
        edited(lambda state: None),
    ),
    Case(
        "a tensor missing",
        (
            "<root>/given.pth holds another model: it lacks head.stems.1.conv.weight (1 "
            "tensors missing, 0 unknown, of ...)"
        ),
        WEIGHTS,
        edited(drop_tensor),
    ),
    Case(
        "nan",
        ("<root>/given.pth: head.stems.0.conv.weight is not finite; its training had gone wrong"),
        WEIGHTS,
        edited(partial(poison, key="model")),
    ),
    Case(
        "nan to resume",
        (
            "<root>/given.pth: weights.head.stems.0.conv.weight is not finite; go on from "
            "an older checkpoint with -c"
        ),
        WEIGHTS,
        edited(partial(poison, key="weights")),
        mode="--resume",
    ),
    Case(
        "no optimizer",
        "<root>/given.pth has no optimizer; to start from its weights drop --resume",
        WEIGHTS,
        edited(lambda state: state.pop("optimizer")),
        mode="--resume",
    ),
    Case(
        "no start_epoch",
        "<root>/given.pth has no start_epoch; to start from its weights drop --resume",
        WEIGHTS,
        edited(lambda state: state.pop("start_epoch")),
        mode="--resume",
    ),
    Case(
        "start_epoch is text",
        "<root>/given.pth: damaged (start_epoch is '1')",
        WEIGHTS,
        edited(lambda state: state.update(start_epoch="1")),
        mode="--resume",
    ),
    Case(
        "start_epoch is negative",
        "<root>/given.pth: damaged (it is before the first epoch)",
        WEIGHTS,
        edited(lambda state: state.update(start_epoch=-1)),
        mode="--resume",
    ),
    Case("other classes", another_run("num_classes 5 -> 6"), ("num_classes", "6"), mode="--resume"),
    Case(
        "other attention", another_run("attention none -> se"), ("attention", "se"), mode="--resume"
    ),
    Case("other seed", another_run("seed 0 -> 1"), ("seed", "1"), mode="--resume"),
    Case("other batch size", another_run("batch_size 4 -> 2"), ("-b", "2"), mode="--resume"),
    Case(
        "other accumulate", another_run("accumulate 1 -> 2"), ("--accumulate", "2"), mode="--resume"
    ),
    Case("other precision", another_run("precision fp32 -> bf16"), ("--bf16",), mode="--resume"),
    Case("other schedule", another_run("max_epoch 2 -> 9"), ("max_epoch", "9"), mode="--resume"),
    Case("other data", another_run("train_sha256 ... -> ..."), (), other_images, mode="--resume"),
    Case(
        "all damaged",
        (
            "out/tiny holds no readable checkpoint: out/tiny/latest_ckpt.pth: damaged (... "
            "is not what was written) (and ... more)"
        ),
        (),
        damaged,
        mode="--resume",
    ),
    Case(
        "the only one damaged",
        (
            "out/tiny holds no readable checkpoint: out/tiny/latest_ckpt.pth: not a "
            "readable checkpoint: it is cut off"
        ),
        (),
        only_latest_damaged,
        mode="--resume",
    ),
    Case(
        "none to resume",
        "out/tiny holds no checkpoint to go on from; drop --resume to start",
        (),
        without_checkpoints,
        mode="--resume",
    ),
]
