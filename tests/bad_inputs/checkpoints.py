"""Checkpoints that are none, are dangerous, or are of another run."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from bad_inputs.case import Case, Place, leave

from yolox_attn.core import save_checkpoint

STEM = "head.stems.0.conv.weight"


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


def replace_stem(state: dict[str, Any], value: Any) -> None:
    state["model"][STEM] = value


def keep_stems(state: dict[str, Any]) -> None:
    kept = {key: value for key, value in state["model"].items() if key.startswith("head.stems.")}
    state["model"] = kept


def without_weights(place: Place) -> None:
    save_checkpoint({"epoch": 3}, place.root / "given.pth")


def other_images(place: Place) -> None:
    place.change_json(lambda content: content["annotations"].pop())


def code(name: str) -> str:
    return (
        f"refused: it carries code ({name}), which loading would run; a checkpoint holds tensors "
        "and plain values only"
    )


def starting(name: str, what: str, spoil: Callable[[Place], Any], words: str = "") -> Case:
    """A run that starts from a given checkpoint, which <root>/given.pth and `what` describe."""
    return Case(name, f"<root>/given.pth{what}", f"-c <root>/given.pth {words}", spoil)


def resuming(name: str, what: str, change: Callable[[dict[str, Any]], Any]) -> Case:
    """A run that goes on from a changed checkpoint."""
    words = "-c <root>/given.pth"
    return Case(name, f"<root>/given.pth{what}", words, edited(change), mode="--resume")


def resuming_elsewhere(name: str, what: str, change: Callable[[dict[str, Any]], Any]) -> Case:
    """A run that goes on from a changed checkpoint in a folder of its own."""
    words = "-c <root>/given.pth -expn other"
    return Case(name, f"<root>/given.pth{what}", words, edited(change), mode="--resume")


def resumed_in_place(name: str, what: str, spoil: Callable[[Place], Any]) -> Case:
    """A run that goes on in its folder, out/tiny."""
    return Case(name, f"out/tiny holds no {what}", "", spoil, mode="--resume")


def another_run(name: str, what: str, words: str, spoil: Callable[[Place], Any] = leave) -> Case:
    """A run that would go on as another one."""
    says = f"out/tiny/latest_ckpt.pth is of another run: {what}; give what it was saved with, or "
    return Case(name, says + "insist with --resume-anyway", words, spoil, mode="--resume")


UNREADABLE = "readable checkpoint: out/tiny/latest_ckpt.pth: "
CASES = [
    Case("missing", "no checkpoint <root>/given.pth", "-c <root>/given.pth"),
    Case("a folder", "no checkpoint <run>", "-c <run>"),
    starting("empty", ": not a readable checkpoint: it is empty", partial(given, b"")),
    starting("text", ": not a readable checkpoint: it is no checkpoint, or not all of one",
             partial(given, b"these are my weights\n")),
    starting("truncated", ": not a readable checkpoint: it is cut off", truncated),
    starting("code", ": " + code("...mkdir"), carrying_code),
    starting("a whole model", ": " + code("torch.nn.modules.linear.Linear"), whole_model),
    starting("no weights", ": no weights under the key 'model'", without_weights),
    starting("another model",
             " holds another model: ... of ... stock tensors fit, a third must; "
             "backbone.backbone.stem.conv.conv.weight is (8, 12, 3, 3) there and (16, 12, 3, 3) "
             "here: is it of another size?", edited(lambda state: None), "width 0.25"),
    starting("next to nothing",
             " holds another model: 15 of ... stock tensors fit, a third must; it lacks "
             "backbone.backbone.stem.conv.conv.weight: is it of another network?",
             edited(keep_stems)),
    starting("nan", ": head.stems.0.conv.weight is not finite; its training had gone wrong",
             edited(partial(poison, key="model"))),
    resuming("nan to resume",
             ": weights.head.stems.0.conv.weight is not finite; go on from an older checkpoint "
             "with -c", partial(poison, key="weights")),
    resuming("no optimizer", " has no optimizer; to start from its weights drop --resume",
             lambda state: state.pop("optimizer")),
    resuming("no start_epoch", " has no start_epoch; to start from its weights drop --resume",
             lambda state: state.pop("start_epoch")),
    resuming("start_epoch is text", ": damaged (start_epoch is '1')",
             lambda state: state.update(start_epoch="1")),
    resuming("start_epoch is negative", ": damaged (it is before the first epoch)",
             lambda state: state.update(start_epoch=-1)),
    resuming_elsewhere("start_epoch beyond the end", " is after epoch 999, max_epoch is 2",
             lambda state: state.update(start_epoch=999)),
    resuming("best_ap nan", ": damaged (best_ap is nan)",
             lambda state: state.update(best_ap=float("nan"))),
    resuming_elsewhere("optimizer of another kind", " does not continue this experiment: ...",
             lambda state: state.update(optimizer={"state": [], "param_groups": 3})),
    resuming_elsewhere("ranks of another kind", ": damaged (its state: ...)",
             lambda state: state.update(ranks=[{"progress": 3}])),
    resuming("protocol of another kind", ": damaged (protocol is '3')",
             lambda state: state.update(protocol=3)),
    starting("weights that are no tensors", ": model holds str -> list, not names and tensors",
             edited(partial(replace_stem, value=[1.0]))),
    starting("names that are numbers", ": model holds int -> Tensor, not names and tensors",
             edited(lambda state: state["model"].update({3: torch.ones(1)}))),
    starting("sparse weights",
             f": model.{STEM} is no plain tensor (torch.float32, torch.sparse_coo)",
             edited(partial(replace_stem, value=torch.eye(3).to_sparse()))),
    starting("weights without values", f": model.{STEM} is no plain tensor (no values)",
             edited(partial(replace_stem, value=torch.ones(3, device="meta")))),
    starting("weights in 8 bits", f": model.{STEM} is no plain tensor (torch.float8..., ...)",
             edited(partial(replace_stem, value=torch.ones(3).to(torch.float8_e4m3fn)))),
    starting("weights of integers", f": {STEM} is torch.int8, needs torch.float32",
             edited(partial(replace_stem, value=torch.ones(3, dtype=torch.int8)))),
    starting("weights without end", f": model.{STEM} is larger than what the file holds of it",
             edited(partial(replace_stem, value=torch.ones(1).expand(10**14)))),
    another_run("other classes", "num_classes 5 -> 6", "num_classes 6"),
    another_run("other attention", "attention none -> se", "attention se"),
    another_run("other seed", "seed 0 -> 1", "seed 1"),
    another_run("other batch size", "batch_size 4 -> 2", "-b 2"),
    another_run("other accumulate", "accumulate 1 -> 2", "--accumulate 2"),
    another_run("other precision", "precision fp32 -> bf16", "--bf16"),
    another_run("other schedule", "max_epoch 2 -> 9", "max_epoch 9"),
    another_run("other data", "train_sha256 ... -> ...", "", other_images),
    resumed_in_place("code in the old format", f"{UNREADABLE}{code('...mkdir')} (and ... more)",
                     old_format_carrying_code),
    resumed_in_place("all damaged",
                     f"{UNREADABLE}damaged (... is not what was written) (and ... more)", damaged),
    resumed_in_place("the only one damaged",
                     f"{UNREADABLE}not a readable checkpoint: it is cut off", only_latest_damaged),
    resumed_in_place("none to resume", "checkpoint to go on from; drop --resume to start",
                     without_checkpoints),
]  # fmt: skip
