import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, Run, build_comparison, find_runs
from yolox_attn.report.build import EVALUATION, require_same_protocol, training_command
from yolox_attn.report.comparison import Built
from yolox_attn.runs import append_metrics, read_record

WriteRun = Callable[..., Path]
Compare = Callable[..., Comparison]


@pytest.fixture
def compared(write_run: WriteRun) -> Compare:
    """Compares variants given as name={seed: AP}."""

    def build(baseline: str | None = None, **variants: dict[int, float]) -> Comparison:
        folders = [
            write_run(name, seed, ap) for name, aps in variants.items() for seed, ap in aps.items()
        ]
        return build_comparison(find_runs(folders), baseline=baseline)

    return build


def test_means_spreads_and_paired_differences(compared: Compare) -> None:
    found = compared(yolox_s_cam={0: 0.43, 1: 0.44}, yolox_s={1: 0.42, 0: 0.40})
    assert found.baseline == "yolox_s"
    base, cam = found.variants
    assert (base.name, cam.name, cam.attention) == ("yolox_s", "yolox_s_cam", "cam")
    assert base.mean["AP"] == pytest.approx(0.41)
    assert base.sd["AP"] == pytest.approx(0.01 * 2**0.5)
    assert [(run.seed, run.metrics["AP"]) for run in base.runs] == [(0, 0.40), (1, 0.42)]
    assert base.difference is None
    assert cam.difference.metrics["AP"] == pytest.approx(0.025)
    assert cam.difference.seeds == (0, 1)
    assert found.notes == ()
    assert (found.test_size, found.val_images) == ((320, 320), 10)


def test_one_run_a_side_says_what_it_is(compared: Compare) -> None:
    both = compared(yolox_s={0: 0.40}, yolox_s_cam={0: 0.45})
    assert both.notes[0].startswith("One run a side measures a checkpoint and not a block")
    partly = compared(yolox_s={1: 0.40, 2: 0.41}, yolox_s_cam={1: 0.45})
    assert partly.notes[0].startswith("Only one run of yolox_s_cam. One run a side measures")


@pytest.mark.parametrize(
    ("seeds", "note"),
    [
        ((1, 2), "yolox_s_cam - yolox_s: the difference is over the seeds that both have: 1."),
        ((2, 3), "yolox_s_cam - yolox_s: no seed in common, so the difference is one of means and"),
    ],
)
def test_seeds_that_one_side_lacks_are_noted(
    compared: Compare, seeds: tuple[int, int], note: str
) -> None:
    found = compared(yolox_s={0: 0.40, 1: 0.50}, yolox_s_cam=dict.fromkeys(seeds, 0.6))
    assert any(each.startswith(note) for each in found.notes)


def test_the_baseline_is_the_one_without_attention_or_the_one_named(compared: Compare) -> None:
    runs = {"yolox_s_cam": {0: 0.4}, "yolox_s_se": {0: 0.5}, "yolox_s": {0: 0.3}}
    names = ["yolox_s", "yolox_s_cam", "yolox_s_se"]
    assert [each.name for each in compared(**runs).variants] == names
    assert compared("yolox_s_se", **runs).variants[0].name == "yolox_s_se"
    with pytest.raises(InputError, match="--baseline nano: no such variant; here: yolox_s_cam, yo"):
        compared("nano", **runs)


def test_none_or_two_without_attention(compared: Compare, write_run: WriteRun) -> None:
    with pytest.raises(InputError, match="none of yolox_s_cam, yolox_s_se is without attention"):
        compared(yolox_s_cam={0: 0.4}, yolox_s_se={0: 0.5})
    two = find_runs([write_run("yolox_s"), write_run("yolox_s_other", attention={})])
    with pytest.raises(InputError, match="yolox_s and yolox_s_other are without attention"):
        build_comparison(two)
    assert build_comparison(two, baseline="yolox_s").variants[1].attention == "none"


def test_a_baseline_alone_is_no_comparison_unless_requested(write_run: WriteRun) -> None:
    runs = find_runs([write_run("yolox_s", seed) for seed in (0, 1)])
    with pytest.raises(InputError, match="only yolox_s is here"):
        build_comparison(runs)
    assert build_comparison(runs, alone=True).alone


def test_roles(compared: Compare, write_run: WriteRun) -> None:
    names = ("yolox_s", "yolox_s_cam", "yolox_s_placebo", "yolox_s_plain")
    runs = {name: {0: 0.4 + 0.01 * k} for k, name in enumerate(names)}
    roles = {each.name: each.role for each in compared(**runs).variants}
    assert roles == dict(zip(names, ("baseline", "variant", "control", "control"), strict=True))
    other = compared("yolox_s_placebo", **runs)
    assert [each.role for each in other.variants][:2] == ["baseline", "variant"]
    attention = {"dark3": {"block": "placebo"}, "dark5": {"block": "cam"}}
    mixed = [write_run("yolox_s"), write_run("yolox_s_mixed", attention=attention)]
    assert (
        build_comparison(find_runs(mixed)).variants[1].role == "variant"
    )  # not all of it is a control


def test_what_was_built_trained_and_optimised(write_run: WriteRun) -> None:
    cam = {"block": "cam", "options": {"ratio": 4}, "parameters": {"a": [8, 2], "b": [8]}}
    attention = {"dark3": cam, "dark4": {"block": "none", "options": {}, "parameters": {}}}
    changes = {"attention": attention, "trainable_parameters": 7, "optimised_parameters": 6}
    folders = [write_run("yolox_s"), write_run("yolox_s_cam", **changes)]
    base, found = build_comparison(find_runs(folders)).variants
    assert found.built == (Built("dark3", "cam", {"ratio": 4}, 24),)
    assert (found.trainable, found.optimised) == (7, 6)
    assert (base.built, base.optimised) == ((), None)


def test_each_run_has_its_curve_time_and_memory(write_run: WriteRun) -> None:
    folder = write_run("yolox_s", seconds=12.5, peak_memory=1000)
    for epoch, ap in ((1, None), (2, 0.2), (3, 0.4)):
        append_metrics(folder, {"epoch": epoch} | ({} if ap is None else {"AP": ap}))
    append_metrics(folder, {"epoch": 4, "AP": None})
    base, cam = build_comparison(find_runs([folder, write_run("yolox_s_cam")])).variants
    assert base.runs[0].curve == ((2, 0.2), (3, 0.4))
    assert (base.runs[0].seconds, base.runs[0].peak_memory) == (12.5, 1000)
    assert (cam.runs[0].curve, cam.runs[0].seconds, cam.runs[0].peak_memory) == ((), None, None)


def test_another_schedule_is_refused_and_names_the_baseline_first(write_run: WriteRun) -> None:
    cam = write_run("yolox_s_cam", config={"max_epoch": 30})
    base = write_run("yolox_s")
    with pytest.raises(InputError) as caught:
        build_comparison(find_runs([cam, base]))
    assert str(caught.value) == (
        f"{base} and {cam} cannot be compared: another schedule (max_epoch 3 / 30)"
    )


def evaluated(folder: Path, **changes: Any) -> Run:
    """The run in `folder` with an evaluation of its own checkpoint."""
    checkpoint = {"file": str(folder / "latest_ckpt.pth"), "sha256": str(folder)}
    values = dict.fromkeys(EVALUATION, "first") | {"test_size": [64, 64], "metrics": {"AP": 0.1}}
    (folder / "eval").mkdir()
    text = json.dumps({**values, "checkpoint": checkpoint, **changes})
    (folder / "eval" / "evaluation.json").write_text(text)
    return replace(find_runs([folder])[0], evaluation=folder / "eval")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(
            ({key: [9, 9] if key == "test_size" else "x"}, f"another evaluation ({name} ")
            for key, name in EVALUATION.items()
        ),
        ({"split": "x"}, "another evaluation (split first / x)"),
        (
            {"checkpoint": {"file": "best_ckpt.pth", "sha256": "0"}},
            "an evaluation of best_ckpt.pth; judged is the last checkpoint, latest_ckpt.pth",
        ),
    ],
)
def test_evaluations_must_be_alike_and_of_the_last_checkpoint(
    write_run: WriteRun, changes: dict[str, Any], message: str
) -> None:
    first = evaluated(write_run("yolox_s"))
    require_same_protocol([first, evaluated(write_run("yolox_s_se"))])
    other = evaluated(write_run("yolox_s_cam"), **changes)
    with pytest.raises(InputError) as caught:
        require_same_protocol([first, other])
    assert message in str(caught.value)


def test_one_checkpoint_is_not_two_runs_nor_an_evaluation_like_a_runs_own_metrics(
    write_run: WriteRun,
) -> None:
    first, second = (evaluated(write_run(name)) for name in ("yolox_s", "yolox_s_se"))
    with pytest.raises(InputError, match=r"another evaluation .*split first / absent"):
        require_same_protocol([first, *find_runs([write_run("yolox_s_cam")])])
    with pytest.raises(InputError, match="are evaluations of one checkpoint"):
        require_same_protocol([first, replace(second, evaluation=first.evaluation)])


def test_other_machines_and_versions_are_noted(write_run: WriteRun) -> None:
    other = {"device": "cuda:0 H100", "threads": 8, "versions": {"torch": "2.8", "yolox": "0.3.0"}}
    folders = [write_run("yolox_s", 0), write_run("yolox_s", 1)]
    folders += [write_run("yolox_s_cam", 0, **other), write_run("yolox_s_cam", 1)]
    assert build_comparison(find_runs(folders)).notes == (
        "The runs differ in training device: cpu x86_64 (yolox_s, yolox_s_cam seed 1); "
        "cuda:0 H100 (yolox_s_cam seed 0).",
        "The runs differ in number of threads: 2 (yolox_s, yolox_s_cam seed 1); "
        "8 (yolox_s_cam seed 0).",
        "The runs differ in torch version: 2.9 (yolox_s, yolox_s_cam seed 1); "
        "2.8 (yolox_s_cam seed 0).",
    )


def test_runs_that_a_stop_has_changed_are_noted(write_run: WriteRun) -> None:
    exact = {"at": "2026", "epoch": 1, "iteration": 3, "exact": True}
    folders = [write_run("yolox_s", 0), write_run("yolox_s", 1, resumed=[exact])]
    folders += [write_run("yolox_s_cam", 0, resumed=[exact, {**exact, "exact": False}])]
    folders += [write_run("yolox_s_cam", 1)]
    (note,) = build_comparison(find_runs(folders)).notes
    assert note.startswith("Stopped and continued, but not exactly: yolox_s_cam seed 0; without")


def test_one_batch_in_one_pass_or_two_is_noted(write_run: WriteRun) -> None:
    folders = [write_run("yolox_s", seed) for seed in (0, 1)]
    folders += [write_run("yolox_s_cam", seed, batch_size=4, accumulate=2) for seed in (0, 1)]
    (note,) = build_comparison(find_runs(folders)).notes
    assert note == "The runs differ in images of one forward pass: 8 (yolox_s); 4 (yolox_s_cam)."


WEIGHTS = {"file": "coco.pth", "sha256": "d" * 64}


@pytest.mark.parametrize(
    ("words", "pretrained", "expected"),
    [
        ("/home/x/tools/train.py -n yolox-s", None, "python tools/train.py -n yolox-s"),
        ("/env/bin/yolox-attn train -b 8", None, "yolox-attn train -b 8"),
        ("/env/yolox_attn/cli/__main__.py train", None, "python -m yolox_attn.cli train"),
        ("/home/x/own.py --fast", None, "/home/x/own.py --fast"),
        ("tools/train.py -n x -c w.pth", WEIGHTS, "python tools/train.py -n x -c w.pth"),
        ("tools/train.py -n x --resume", None, "python tools/train.py -n x"),
        ("tools/train.py --resume -c latest.pth -n x", None, "python tools/train.py -n x"),
        ("tools/train.py --resume --ckpt=l.pth -n x", None, "python tools/train.py -n x"),
        ("tools/train.py -n x --resume", WEIGHTS, "python tools/train.py -c coco.pth -n x"),
        ("yolox-attn train --resume -n x", WEIGHTS, "yolox-attn train -c coco.pth -n x"),
    ],
)
def test_the_command_that_trains_it_again(
    write_run: WriteRun, words: str, pretrained: dict[str, str] | None, expected: str
) -> None:
    folder = write_run("yolox_s", command=words.split(), pretrained=pretrained)
    assert training_command(read_record(folder)) == expected


def test_a_path_with_spaces_is_quoted(write_run: WriteRun) -> None:
    folder = write_run("yolox_s", command=["tools/train.py", "-f", "my exp.py"])
    assert training_command(read_record(folder)) == "python tools/train.py -f 'my exp.py'"


def test_what_all_runs_share_is_kept_and_nothing_else(write_run: WriteRun) -> None:
    words = ["tools/train.py", "-n", "yolox-s"]
    other = {"threads": 8, "versions": {"torch": "2.9", "yolox": "0.4"}}
    known = {"class_names": ["a", "b"]}
    folders = [
        write_run("yolox_s", seed, command=words, cpu="a chip", data=known) for seed in (0, 1)
    ]
    data = known | {"dir": "elsewhere"}
    folders.append(write_run("yolox_s_cam", command=["own"], cpu="a chip", data=data, **other))
    found = build_comparison(find_runs(folders))
    assert found.software == {"torch": "2.9"}
    assert found.hardware == {
        "device": "cpu x86_64",
        "cpu": "a chip",
        "processes": "1",
        "precision": "fp32",
        "memory format": "channels_last",
    }
    assert not {"dir", "class_names"} & found.data.keys()
    assert (found.data["val_ann"], found.data["val_sha256"]) == ("v.json", "b" * 64)
    assert found.commands == ("python tools/train.py -n yolox-s", "own")


def test_runs_cut_short_or_spoiled_and_a_long_warm_up_are_noted(write_run: WriteRun) -> None:
    began = {"file": "x.pth", "sha256": "y", "AP": 0.43}
    schedule = {"warmup_epochs": 2, "scheduler": "warmcos"}
    spoiled = write_run("yolox_s", 0, 0.40, pretrained=began, config=schedule)
    climbing = write_run("yolox_s_cam", 0, 0.40, pretrained=began, config=schedule)
    for epoch, ap in ((2, 0.1), (3, 0.4)):
        append_metrics(climbing, {"epoch": epoch, "AP": ap})
    notes = build_comparison(find_runs([spoiled, climbing])).notes
    assert (
        "Cut short, or spoiled: yolox_s seed 0 AP 40.0, below the 43.0 that its weights gave before"
        " training; yolox_s_cam seed 0 still climbing when it ended: +30.0 AP in its last epoch;"
        " yolox_s_cam seed 0 AP 40.0, below the 43.0 that its weights gave before training."
        " Another schedule may order them otherwise."
    ) in notes
    assert any(note.startswith("Warm-up is 2 of 3 epochs, most of the") for note in notes)
