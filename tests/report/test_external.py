import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from judged_runs import IMAGES, draw_detections, draw_truth, metrics_of, write_json

from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, JudgingRequest, compare_detections
from yolox_attn.report.external import files_by_seed
from yolox_attn.stats.terms import Terms

REQUEST = JudgingRequest(terms=Terms(replicates=100))
Write = Callable[..., Path]
Sides = dict[str, list[Path] | dict[int, Path]]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return write_json(tmp_path / "t.json", draw_truth())


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one training's detections and returns the file."""

    def make(name: str, blur: float, seed: int = 0) -> Path:
        return write_json(tmp_path / name, draw_detections(draw_truth(), blur, seed))

    return make


@pytest.fixture
def sides(write: Write) -> Sides:
    """Three trainings a side; B finds more."""
    return {
        name: [write(f"{name}{seed}.json", blur + 0.01 * seed, seed) for seed in range(3)]
        for name, blur in (("A", 0.2), ("B", 0.05))
    }


def judged(truth: Path, sides: Sides, **changes: str) -> Comparison:
    return compare_detections(truth, sides, None, replace(REQUEST, **changes))  # type: ignore[arg-type]


def test_one_file_a_side_cannot_tell_but_shows_what_the_images_give(
    truth: Path, write: Write
) -> None:
    a, b = write("a.json", 0.2), write("b.json", 0.0)
    found = judged(truth, {"A": [a], "B": [b]})
    ((side, judgement),) = found.judged()
    assert side.name == "B"
    assert (judgement.word, judgement.interval, judgement.seeds) == ("cannot tell", None, (1,))
    assert 0 < judgement.checkpoints[0] < judgement.difference < judgement.checkpoints[1]
    assert found.notes[0].startswith("One file a side measures a checkpoint")
    expected = metrics_of(draw_truth(), draw_detections(draw_truth(), 0.2, 0))
    assert found.variants[0].mean["AP"] == pytest.approx(expected["AP"])
    assert found.variants[0].mean["APl"] is None
    assert found.variants[0].runs[0].folder == str(a)
    assert (found.test_size, found.variants[0].parameters, found.val_images) == (None, None, IMAGES)


def test_three_files_a_side_give_a_verdict(truth: Path, sides: Sides) -> None:
    found = judged(truth, sides)
    ((side, judgement),) = found.judged()
    assert (judgement.word, judgement.seeds) == ("helps", (1, 2, 3))
    for k in range(3):
        ours, theirs = (each.runs[k].metrics["AP"] for each in (side, found.variants[0]))
        assert judgement.differences[k] == pytest.approx(ours - theirs)
    assert side.difference.metrics["AP"] == pytest.approx(judgement.difference)
    assert found.notes[0].startswith("The files are paired in the order in which they were given")
    assert [each.role for each in found.variants] == ["baseline", "variant"]
    assert found.baseline == "A"


def test_another_baseline_is_judged_by_and_read_first(truth: Path, sides: Sides) -> None:
    lines: list[str] = []
    found = compare_detections(truth, sides, "B", REQUEST, lines.append)
    assert [each.name for each in found.variants] == ["B", "A"]
    assert found.judged()[0][1].word == "hurts"
    assert len(lines) == 6
    assert lines[0].startswith(f"judging 1 of 6: B, {sides['B'][0]} (")


def test_of_different_numbers_the_pairs_are_judged(truth: Path, sides: Sides) -> None:
    found = judged(truth, {**sides, "B": sides["B"][:2]})
    ((_, judgement),) = found.judged()
    assert judgement.seeds == (1, 2)
    assert found.notes[1] == (
        "The sides have different numbers of files (A 3, B 2): judged are the pairs."
    )


def test_groups_are_drawn_if_requested(truth: Path, sides: Sides) -> None:
    assert judged(truth, sides, groups="video").groups == "6 groups by video"


def test_detections_of_unlisted_classes_are_counted(truth: Path, sides: Sides) -> None:
    for path in sides["B"][:2]:
        detections = json.loads(path.read_text())
        detections[0]["category_id"] = detections[3]["category_id"] = 80
        write_json(path, detections)
    assert judged(truth, sides).notes[-1] == (
        "B: 4 detections of classes that the truth does not list are left out."
    )


def test_one_training_is_not_two_but_two_sides_may_be_identical(truth: Path, sides: Sides) -> None:
    a, b = sides["A"][0], sides["B"][0]
    with pytest.raises(InputError, match=r"A0\.json is given twice"):
        judged(truth, {"A": [a], "B": [b, a.parent / "." / a.name]})
    copy = a.with_name("copy.json")
    copy.write_bytes(a.read_bytes())
    with pytest.raises(InputError, match=r"A0\.json and .*copy\.json are copies of one file"):
        judged(truth, {"A": [a, copy], "B": [b]})
    entries = json.loads(a.read_text())
    copy.write_text(
        json.dumps([dict(reversed(each.items())) for each in reversed(entries)], indent=3)
    )
    with pytest.raises(InputError, match="A: 1 and 2 have the same detections, so they are one"):
        judged(truth, {"A": [a, copy], "B": [b]})
    ((_, judgement),) = judged(truth, {"A": [a], "B": [copy]}).judged()
    assert (judgement.difference, judgement.p_value) == (0, 1)


def test_what_cannot_be_compared_is_refused(truth: Path, write: Write, tmp_path: Path) -> None:
    a, b = write("a.json", 0.2), write("b.json", 0.1)
    bad = write_json(tmp_path / "bad.json", [{"image_id": 1}])
    for files, message in (
        ({"A": [a]}, "two sides at least"),
        ({"A": [a], "B": []}, "B: no file of detections"),
        ({"A": [a], "B": [tmp_path / "gone.json"]}, r"gone\.json: no such file"),
        ({"A": [a], "B": [bad]}, r"bad\.json: detection 1: score is None"),
    ):
        with pytest.raises(InputError, match=message):
            judged(truth, files)
    with pytest.raises(InputError, match="--baseline C: no such side; here: A, B"):
        compare_detections(truth, {"A": [a], "B": [b]}, "C", REQUEST)
    with pytest.raises(InputError, match=r"none\.json: No such file"):
        judged(tmp_path / "none.json", {"A": [a], "B": [b]})


@pytest.mark.parametrize(
    ("path", "seed"),
    [
        ("p/seed3.json", 3),
        ("p/yolov8n_seed-12_640.json", 12),
        ("p/SEED_4/predictions.json", 4),
        ("p/yolo11s_7.json", 7),
        ("p/run2/detections.json", 2),
        ("p2/seed1/v8_seed5.json", 5),
    ],
)
def test_the_seed_is_read_from_the_name(tmp_path: Path, path: str, seed: int) -> None:
    file = tmp_path / "x" / path
    file.parent.mkdir(parents=True)
    file.write_text("[]")
    assert files_by_seed(str(tmp_path / "x" / "**" / "*.json")) == {seed: file}


def test_a_folder_is_all_its_json_files(write: Write, tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    files = [write(f"A/s{seed}.json", 0.2, seed) for seed in (10, 2)]
    (tmp_path / "A" / "notes5.txt").write_text("")
    assert files_by_seed(str(tmp_path / "A")) == {2: files[1], 10: files[0]}


def test_patterns_pair_by_seed_whatever_their_order_and_number(
    truth: Path, write: Write, tmp_path: Path
) -> None:
    for name, seeds in (("A", (1, 2, 10)), ("B", (10, 2, 1, 3))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            write(f"{name}/seed{seed}.json", (0.2 if name == "A" else 0.05) + 0.003 * seed, seed)
    found = judged(truth, {each: files_by_seed(str(tmp_path / each / "*.json")) for each in "AB"})
    ((_, judgement),) = found.judged()
    assert judgement.seeds == (1, 2, 10)
    assert found.notes[0] == "The files are paired by the seeds that their names say."
    folders = {run.seed: Path(run.folder).name for run in found.variants[1].runs}
    assert folders == {seed: f"seed{seed}.json" for seed in (1, 2, 3, 10)}


def test_names_without_a_seed_or_with_one_twice_are_refused(tmp_path: Path) -> None:
    where = tmp_path / "plain"
    where.mkdir()
    with pytest.raises(InputError, match="no json file there"):
        files_by_seed(str(where))
    (where / "best.json").write_text("[]")
    with pytest.raises(InputError, match=r"best.json: no seed in its name"):
        files_by_seed(str(where))
    (where / "best.json").unlink()
    for name in ("seed1_a.json", "seed1_b.json"):
        (where / name).write_text("[]")
    with pytest.raises(InputError, match="both say seed 1"):
        files_by_seed(str(where))


def test_patterns_and_files_do_not_mix(truth: Path, sides: Sides) -> None:
    with pytest.raises(InputError, match="all of them as patterns"):
        judged(truth, {"A": sides["A"], "B": dict(enumerate(sides["B"]))})
