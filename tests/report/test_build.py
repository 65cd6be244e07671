from collections.abc import Callable
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, compare, find_runs
from yolox_attn.report.build import training_command
from yolox_attn.report.comparison import Built
from yolox_attn.runs import append_metrics, read_record

WriteRun = Callable[..., Path]


@pytest.fixture
def compared(write_run: WriteRun) -> Callable[..., Comparison]:
    """Compares variants given as name={seed: AP}."""

    def build(baseline: str | None = None, **variants: dict[int, float]) -> Comparison:
        folders = [
            write_run(name, seed, ap) for name, aps in variants.items() for seed, ap in aps.items()
        ]
        return compare(find_runs(folders), baseline=baseline)

    return build


def test_means_spreads_and_paired_differences(compared: Callable[..., Comparison]) -> None:
    found = compared(yolox_s_cam={0: 0.43, 1: 0.44}, yolox_s={1: 0.42, 0: 0.40})
    assert found.baseline == "yolox_s"
    base, cam = found.variants
    assert (base.name, cam.name, cam.attention) == ("yolox_s", "yolox_s_cam", "cam")
    assert base.mean["AP"] == pytest.approx(0.41)
    assert base.sd["AP"] == pytest.approx(0.01 * 2**0.5)
    assert [(run.seed, run.metrics["AP"]) for run in base.runs] == [(0, 0.40), (1, 0.42)]
    assert base.difference is None
    assert cam.difference is not None
    assert cam.difference.metrics["AP"] == pytest.approx(0.025)
    assert cam.difference.seeds == (0, 1)
    assert found.notes == ()
    assert (found.test_size, found.val_images) == ((320, 320), 10)


def test_an_undefined_figure_stays_undefined(compared: Callable[..., Comparison]) -> None:
    for variant in compared(yolox_s={0: 0.4, 1: 0.4}, yolox_s_se={0: 0.4, 1: 0.3}).variants:
        assert variant.mean["APs"] is None
        assert variant.sd["APs"] is None
        assert variant.difference is None or variant.difference.metrics["APs"] is None


def test_a_figure_undefined_in_one_run_has_no_mean(write_run: WriteRun) -> None:
    folders = [write_run("yolox_s", 0, metrics={"APs": 0.1}), write_run("yolox_s", 1)]
    found = compare(find_runs([*folders, write_run("yolox_s_cam")]))
    assert found.variants[0].mean["APs"] is None
    assert found.variants[0].sd["APs"] is None
    assert found.variants[0].mean["APm"] == pytest.approx(0.2)


def test_one_run_a_side_has_no_spread_and_says_what_it_is(
    compared: Callable[..., Comparison],
) -> None:
    found = compared(yolox_s={0: 0.40}, yolox_s_cam={0: 0.45})
    assert found.variants[1].sd["AP"] is None
    assert found.variants[1].difference is not None
    assert found.variants[1].difference.metrics["AP"] == pytest.approx(0.05)
    assert found.notes[0].startswith("One run a side measures a checkpoint and not a block")
    partly = compared(yolox_s={1: 0.40, 2: 0.41}, yolox_s_cam={1: 0.45})
    assert partly.notes[0].startswith("Only one run of yolox_s_cam. One run a side measures")


def test_only_common_seeds_make_the_difference(compared: Callable[..., Comparison]) -> None:
    found = compared(yolox_s={0: 0.40, 1: 0.50}, yolox_s_cam={1: 0.53, 2: 0.90})
    difference = found.variants[1].difference
    assert difference is not None
    assert difference.metrics["AP"] == pytest.approx(0.03)
    assert difference.seeds == (1,)
    expected = "yolox_s_cam - yolox_s: the difference is over the seeds that both have: 1."
    assert expected in found.notes


def test_without_a_common_seed_means_are_subtracted(compared: Callable[..., Comparison]) -> None:
    found = compared(yolox_s={0: 0.40, 1: 0.50}, yolox_s_cam={2: 0.50, 3: 0.60})
    difference = found.variants[1].difference
    assert difference is not None
    assert difference.metrics["AP"] == pytest.approx(0.10)
    assert difference.seeds == ()
    assert any("no seed in common" in note for note in found.notes)


def test_the_baseline_is_the_one_without_attention_or_the_one_named(
    compared: Callable[..., Comparison],
) -> None:
    runs = {"yolox_s_cam": {0: 0.4}, "yolox_s_se": {0: 0.5}, "yolox_s": {0: 0.3}}
    assert [each.name for each in compared(**runs).variants] == [
        "yolox_s",
        "yolox_s_cam",
        "yolox_s_se",
    ]
    assert compared("yolox_s_se", **runs).variants[0].name == "yolox_s_se"
    with pytest.raises(InputError, match="--baseline nano: no such variant; here: yolox_s_cam, yo"):
        compared("nano", **runs)


def test_none_or_two_without_attention(
    compared: Callable[..., Comparison], write_run: WriteRun
) -> None:
    with pytest.raises(InputError, match="none of yolox_s_cam, yolox_s_se is without attention"):
        compared(yolox_s_cam={0: 0.4}, yolox_s_se={0: 0.5})
    two = [write_run("yolox_s"), write_run("yolox_s_other", attention={})]
    with pytest.raises(InputError, match="yolox_s and yolox_s_other are without attention"):
        compare(find_runs(two))
    assert compare(find_runs(two), baseline="yolox_s").variants[1].attention == "none"


def test_a_baseline_alone_is_no_comparison_unless_asked_for(
    compared: Callable[..., Comparison], write_run: WriteRun
) -> None:
    with pytest.raises(InputError, match="only yolox_s is here"):
        compared(yolox_s={0: 0.4, 1: 0.5})
    runs = find_runs([write_run("yolox_s", seed) for seed in (0, 1)])
    assert len(compare(runs, alone=True).variants) == 1


def test_roles(compared: Callable[..., Comparison]) -> None:
    names = ("yolox_s", "yolox_s_cam", "yolox_s_placebo", "yolox_s_plain")
    found = compared(**{name: {0: 0.4 + 0.01 * k} for k, name in enumerate(names)})
    roles = {each.name: each.role for each in found.variants}
    assert roles == dict(zip(names, ("baseline", "variant", "control", "control"), strict=True))
    runs = {name: {0: 0.4 + 0.01 * k} for k, name in enumerate(names)}
    other = compared("yolox_s_placebo", **runs)
    assert [each.role for each in other.variants][:2] == ["baseline", "variant"]


def test_a_block_beside_a_control_is_no_control(write_run: WriteRun) -> None:
    levels = {"dark3": "placebo", "dark5": "cam"}
    attention = {level: {"block": block} for level, block in levels.items()}
    folders = [write_run("yolox_s"), write_run("yolox_s_mixed", attention=attention)]
    assert compare(find_runs(folders)).variants[1].role == "variant"


def test_what_was_built_trained_and_optimised(write_run: WriteRun) -> None:
    cam = {"block": "cam", "options": {"ratio": 4}, "parameters": {"a": [8, 2], "b": [8]}}
    attention = {"dark3": cam, "dark4": {"block": "none", "options": {}, "parameters": {}}}
    changes = {"attention": attention, "trainable_parameters": 7, "optimised_parameters": 6}
    folders = [write_run("yolox_s"), write_run("yolox_s_cam", **changes)]
    base, found = compare(find_runs(folders)).variants
    assert found.built == (Built("dark3", "cam", {"ratio": 4}, 24),)
    assert (found.trainable, found.optimised) == (7, 6)
    assert (base.built, base.optimised) == ((), None)


def test_each_run_has_its_curve_time_and_memory(write_run: WriteRun) -> None:
    folder = write_run("yolox_s", seconds=12.5, peak_memory=1000)
    for epoch, ap in ((1, None), (2, 0.2), (3, 0.4)):
        append_metrics(folder, {"epoch": epoch} | ({} if ap is None else {"AP": ap}))
    append_metrics(folder, {"epoch": 4, "AP": None})
    base, cam = compare(find_runs([folder, write_run("yolox_s_cam")])).variants
    assert base.runs[0].curve == ((2, 0.2), (3, 0.4))
    assert (base.runs[0].seconds, base.runs[0].peak_memory) == (12.5, 1000)
    assert (cam.runs[0].curve, cam.runs[0].seconds, cam.runs[0].peak_memory) == ((), None, None)


def test_another_schedule_is_refused_and_names_the_baseline_first(write_run: WriteRun) -> None:
    cam = write_run("yolox_s_cam", config={"max_epoch": 30})
    base = write_run("yolox_s")
    with pytest.raises(InputError) as caught:
        compare(find_runs([cam, base]))
    assert str(caught.value).startswith(f"{base} and {cam} cannot be compared")


def test_other_machines_and_versions_are_noted(write_run: WriteRun) -> None:
    other = {"device": "cuda:0 H100", "threads": 8, "versions": {"torch": "2.8", "yolox": "0.3.0"}}
    folders = [write_run("yolox_s", 0), write_run("yolox_s", 1)]
    folders += [write_run("yolox_s_cam", 0, **other), write_run("yolox_s_cam", 1)]
    assert compare(find_runs(folders)).notes == (
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
    notes = compare(find_runs(folders)).notes
    assert len(notes) == 1
    assert notes[0].startswith("Stopped and continued, but not exactly: yolox_s_cam seed 0; with")


def test_one_batch_in_one_pass_or_two_is_noted(write_run: WriteRun) -> None:
    folders = [write_run("yolox_s", seed) for seed in (0, 1)]
    folders += [write_run("yolox_s_cam", seed, batch_size=4, accumulate=2) for seed in (0, 1)]
    (note,) = compare(find_runs(folders)).notes
    assert note == "The runs differ in images of one forward pass: 8 (yolox_s); 4 (yolox_s_cam)."


WriteRun_provenance = Callable[..., Path]


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
    write_run: WriteRun_provenance, words: list[str], expected: str
) -> None:
    assert training_command(read_record(write_run("yolox_s", command=words))) == expected


def test_a_continued_run_begins_again_with_the_weights_it_began_with(
    write_run: WriteRun_provenance,
) -> None:
    pretrained = {"file": "coco.pth", "sha256": "d" * 64}
    for words, expected in (
        (["tools/train.py", "-n", "x", "--resume"], "python tools/train.py -c coco.pth -n x"),
        (["yolox-attn", "train", "--resume", "-n", "x"], "yolox-attn train -c coco.pth -n x"),
    ):
        folder = write_run("yolox_s", command=words, pretrained=pretrained)
        assert training_command(read_record(folder)) == expected


def test_what_all_runs_share_is_told_and_nothing_else(write_run: WriteRun_provenance) -> None:
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
