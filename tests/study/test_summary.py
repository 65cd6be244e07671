from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planned import make_plan, make_request, write_exp

from yolox_attn.stats.terms import Terms
from yolox_attn.study.planner import PlannedStudy, plan_study
from yolox_attn.study.probe import Probe
from yolox_attn.study.summary import effect_lines, plan_lines, time_lines

HOUR = Probe(600, 1.0, 0.1, steps=2900, images=1000, memory=2**31, device="cpu x86_64")


def timed_study(probes: dict[str, Probe | str], **changes: Any) -> PlannedStudy:
    return PlannedStudy(make_plan(**changes), (), 5, None, (), probes=probes)


def test_the_whole_plan_in_words(drawn: Path, tmp_path: Path) -> None:
    request = make_request(
        write_exp(tmp_path, "base"), drawn, variants=("cam", "eca"),
        controls=("placebo", "plain:cam"), seeds=(0, 1), noise=("0.6",),
    )  # fmt: skip
    study = plan_study(tmp_path / "study", request, lambda _: None)
    lines = plan_lines(study, 1)
    text = "\n".join(lines)
    assert lines[0] == "10 runs: 5 variants, seeds 0, 1"
    rows = [line.split() for line in lines[4:9]]
    assert [row[:2] for row in rows] == [
        ["base", "baseline"],
        ["base_placebo", "control"],
        ["base_plain_cam", "control"],
        ["base_cam", "block"],
        ["base_eca", "block"],
    ]
    assert rows[1][2:] == ["placebo", "on", "dark3,", "dark4,", "dark5", rows[1][-2], "224"]
    assert 'must come out as "no worthwhile difference" or "cannot tell"' in text
    plain, cam = (each.own for each in study.variants[2:4])
    assert f"as many parameters without attention (it has {plain:,}, the block {cam:,})" in text
    assert "judged: AP of the last EMA checkpoint on val (5 images)" in text
    assert "trained at " in text
    assert "time: not estimated" in text
    assert "at Holm's first step among 2 blocks" in text  # controls are outside of the family
    assert "note: 2 seeds: there will be no verdict" in text


def test_time_of_all_runs_and_of_several_at_a_time() -> None:
    names = [each.name for each in make_plan().variants]
    study = timed_study(dict.fromkeys(names, HOUR), seeds=(0, 1, 2))
    assert time_lines(study, 1) == [
        "time: about 9.0 h on cpu x86_64 (a run 60.0 min, 2.0 GiB of memory)"
    ]
    assert time_lines(study, 2)[0].endswith("; 2 at a time about 4.5 h at best")


def test_what_several_runs_at_a_time_cost_each_other_is_said() -> None:
    names = [each.name for each in make_plan().variants]
    study = timed_study(
        dict.fromkeys(names, HOUR), seeds=(0, 1, 2), expected={"slowdown": {"2": 1.25}}
    )
    study = replace(study, slowdown={"2": 1.25})
    assert time_lines(study, 2)[0].endswith(
        "; 2 at a time about 5.6 h, each 1.25 times as long as alone"
    )
    study = replace(study, slowdown={"2": 1.25, "4": None})
    assert time_lines(study, 1)[0].endswith(
        ", one after the other (2 at a time each takes 1.25 times as long; 4 at a time failed)"
    )


def test_a_probe_that_failed_is_named_and_the_others_count() -> None:
    lines = time_lines(timed_study({"yolox_demo": HOUR, "placebo": "out of memory"}), 1)
    assert lines[0].startswith("time: about 2.0 h on cpu x86_64, without placebo")
    assert lines[1] == "note: no estimate for placebo: out of memory"
    assert time_lines(timed_study({"placebo": "x"}), 1) == ["note: no estimate for placebo: x"]


def test_one_effect_where_the_noise_is_known() -> None:
    line, _ = effect_lines(0.6, 3, 1, Terms())
    assert "SD 0.60 AP, 3 seeds find four times in five, a true difference of 2.0 AP" in line
    assert line.endswith("0.5 AP needs 14 seeds")
    assert "at Holm's first step among 4 blocks" in effect_lines(0.6, 3, 4, Terms())[0]


def test_a_table_where_it_is_not() -> None:
    lines = effect_lines(None, 3, 1, Terms(sesoi=0.3))
    rows = [line.split() for line in lines[3:7]]
    assert rows[0] == ["0.3", "1.0", "10"]
    assert [row[:2] for row in rows[1:]] == [["0.6", "2.0"], ["1.0", "3.3"], ["2.0", "6.5"]]


@pytest.mark.parametrize("sd", [0.6, None])
def test_one_seed_finds_nothing(sd: float | None) -> None:
    assert "one seed finds none" in effect_lines(sd, 1, 1, Terms())[0]
