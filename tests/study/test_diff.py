from dataclasses import replace
from pathlib import Path

import pytest
from judged_comparison import judged_comparison
from judged_runs import DrawnStudy

from yolox_attn.cli import main
from yolox_attn.errors import InputError
from yolox_attn.report import (
    JudgingRequest,
    build_comparison,
    find_runs,
    judge_runs,
    write_comparison,
)
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.text import to_text
from yolox_attn.stats.terms import Terms
from yolox_attn.study.diff import diff, differing

FIVE = judged_comparison(5)


def text_of(*paths: Path) -> str:
    return to_text(diff(paths), 200)


def on_other_images(folder: Path, comparison: Comparison = FIVE, **data: object) -> Path:
    """Its report, judged by a truth of its own and with runs of its own."""
    variants = [
        replace(
            each,
            runs=tuple(
                replace(run, folder=f"{folder}/{each.name}/{run.seed}") for run in each.runs
            ),
        )
        for each in comparison.variants
    ]
    data = {**comparison.data, "truth_sha256": folder.name, **data}
    write_comparison(folder, replace(comparison, variants=tuple(variants), data=data))
    return folder


def judged(study: DrawnStudy, folder: Path, seeds: tuple[int, ...], blur: float) -> Path:
    """A comparison of runs on the drawn truth, as compare writes it."""
    runs = [
        study.write(name, seed, how + 0.003 * seed)
        for name, how in (("yolox_s", 0.3), ("yolox_s_cam", blur))
        for seed in seeds
    ]
    found = find_runs(runs)
    request = JudgingRequest(terms=Terms(replicates=100))
    write_comparison(folder, judge_runs(build_comparison(found), found, request))
    return folder


def test_a_study_repeated_with_other_seeds_on_the_same_images(
    study: DrawnStudy, tmp_path: Path
) -> None:
    first = judged(study, tmp_path / "first", (0, 1, 2), 0.1)
    second = judged(study, tmp_path / "second", (3, 4, 5), 0.1)
    text = text_of(first, second)
    assert "yolox_s_cam" in text
    assert "helps" in text
    assert "not replicated" not in text.replace("Not replicated:", "")
    worse = judged(study, tmp_path / "worse", (6, 7, 8), 0.5)
    assert "not replicated" in text_of(first, worse).replace("Not replicated:", "")


def test_on_other_images_the_reports_alone_are_enough(tmp_path: Path) -> None:
    first, second = (on_other_images(tmp_path / name) for name in ("one", "two"))
    text = text_of(first, second)
    assert "data: truth_sha256 one -> two" in text
    rows = [line for line in text.splitlines() if line.startswith("yolox_nano_cam")]
    assert rows[0].rstrip().endswith("  replicated")
    eca = next(line for line in text.splitlines() if line.startswith("yolox_nano_eca"))
    assert eca.rstrip().endswith("  cannot tell")  # equal, but not surely within 0.5 AP
    assert "0.00 (" in rows[0]


def test_what_differs_is_named_line_by_line() -> None:
    other = replace(
        FIVE,
        software={**FIVE.software, "torch": "2.10.0"},
        epochs=30,
        plan=replace(FIVE.plan, seeds=(5, 6)),
    )
    assert differing(FIVE, other) == [
        "epochs: None -> 30",
        "software: torch 2.15.0 -> 2.10.0",
        "planned seeds: 0, 1, 2, 3, 4 -> 5, 6",
    ]
    assert differing(FIVE, FIVE) == []


def test_studies_with_a_run_in_common_or_no_block_are_refused(
    study: DrawnStudy, tmp_path: Path
) -> None:
    first = judged(study, tmp_path / "first", (0, 1, 2), 0.1)
    again = tmp_path / "again"
    again.mkdir()
    (again / "comparison.json").write_bytes((first / "comparison.json").read_bytes())
    with pytest.raises(InputError, match="is a run of both studies"):
        diff([first, again])
    eca = replace(FIVE, variants=(FIVE.variants[0], FIVE.variants[3]))
    alone = on_other_images(tmp_path / "alone", eca)
    with pytest.raises(InputError, match="no block that is the same"):
        diff([first, alone])


def test_detections_that_are_gone_are_asked_for(study: DrawnStudy, tmp_path: Path) -> None:
    first = judged(study, tmp_path / "first", (0, 1, 2), 0.1)
    second = judged(study, tmp_path / "second", (3, 4, 5), 0.1)
    for path in tmp_path.rglob("detections.json"):
        path.unlink()
    with pytest.raises(InputError, match=r"detections.json is not there: two studies on one truth"):
        diff([first, second])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(on_other_images(tmp_path / name)) for name in ("one", "two")]
    assert main(["study", "diff", *paths]) == 0
    out = capsys.readouterr().out
    assert "What differs" in out
    assert "Replication" in out
    assert main(["study", "diff", paths[0], str(tmp_path / "nowhere")]) == 2
    assert "no comparison.json there" in capsys.readouterr().err
