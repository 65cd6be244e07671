"""Runs judged from Python: the very comparison of the command, of all runs or of some."""

from dataclasses import replace
from pathlib import Path

import pytest
from judged_runs import DrawnStudy
from loguru import logger

from yolox_attn.cli.compare import main
from yolox_attn.errors import InputError
from yolox_attn.report import compare, load_runs, read_comparison
from yolox_attn.stats.terms import Terms

TERMS = Terms(sesoi=2, alpha=0.1, replicates=150)


@pytest.fixture
def folders(study: DrawnStudy, tmp_path: Path) -> list[str]:
    """A baseline and two variants, three seeds each; one run more has failed."""
    for name, blur in (("yolox_s", 0.2), ("yolox_s_cam", 0.05), ("yolox_s_se", 0.19)):
        for seed in range(3):
            study.write(name, seed, blur + 0.01 * seed)
    study.write("yolox_s_se", 3, 0.1, state="failed", error="no memory left")
    return [str(tmp_path / name) for name in ("yolox_s", "yolox_s_cam", "yolox_s_se")]


@pytest.mark.parametrize(("groups", "word"), [(None, "helps"), ("video", "cannot tell")])
def test_it_is_the_comparison_of_the_command(
    folders: list[str], tmp_path: Path, groups: str | None, word: str
) -> None:
    flags = ["--sesoi", "2", "--alpha", "0.1", "--replicates", "150", "--no-latency"]
    flags += ["--groups", groups] if groups else []
    assert main([*folders, "-o", str(tmp_path / "out"), *flags]) == 0
    theirs = read_comparison(tmp_path / "out" / "comparison.json")
    ours = compare(load_runs(*folders), groups=groups, terms=TERMS)
    assert ours == replace(theirs, commands=ours.commands)
    assert theirs.commands[: len(ours.commands)] == ours.commands
    assert ours.judged()[0][1].word == word
    assert [each.title for each in ours.dropped] == ["yolox_s_se seed 3"]


def test_the_usual_terms_are_those_of_the_command(folders: list[str]) -> None:
    assert compare(load_runs(*folders[:2])).terms == Terms()


def test_some_of_the_runs_and_another_baseline(folders: list[str]) -> None:
    runs = load_runs(*folders)
    some = [run for run in runs if run.record.seed != 1 and run.name != "yolox_s_se"]
    found = compare(some, baseline="yolox_s_cam", terms=TERMS)
    assert [each.name for each in found.variants] == ["yolox_s_cam", "yolox_s"]
    assert found.variants[0].runs[-1].seed == 2
    assert found.variants[1].difference.seeds == (0, 2)
    assert not found.dropped
    with pytest.raises(InputError, match="no such variant"):
        compare(runs, baseline="yolox_m")


def test_another_truth_is_refused_and_a_moved_one_is_named(
    folders: list[str], study: DrawnStudy, tmp_path: Path
) -> None:
    moved = study.truth.rename(tmp_path / "moved.json")
    runs = load_runs(*folders)
    assert not compare(runs, terms=TERMS).judged()
    assert len(compare(runs, truth=str(moved), terms=TERMS).judged()) == 2
    moved.write_text("{}")
    with pytest.raises(InputError, match="is not the truth that judged the runs"):
        compare(runs, truth=moved)


def test_how_far_it_is_goes_to_the_log(folders: list[str]) -> None:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    compare(load_runs(*folders[:2]), terms=TERMS)
    logger.remove(sink)
    assert [line.partition(" (")[0] for line in lines][-1] == "[6/6] judging yolox_s_cam seed 2"


def test_no_runs_are_refused() -> None:
    with pytest.raises(InputError, match="nothing to compare: no runs"):
        compare([])
