from pathlib import Path

import pytest
from planned import make_plan, make_request, write_exp

from yolox_attn.study.estimate import Probe
from yolox_attn.study.planner import Made
from yolox_attn.study.planner import make_plan as really_make
from yolox_attn.study.summary import expected, family, plan_lines, time_lines

HOUR = Probe(600, 1.0, 0.1, steps=2900, images=1000, memory=2**31, device="cpu x86_64")


@pytest.fixture(scope="module")
def made(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = write_exp(tmp_path_factory.mktemp("exps"), "base")
    asked = {"variants": ("cam", "eca"), "controls": ("placebo", "plain:cam"), "seeds": (0, 1)}
    return really_make(make_request(base, drawn, **asked))


def test_the_whole_plan_in_words(made: Made) -> None:
    lines = plan_lines(made, {}, 0.6, 1)
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
    plain, cam = (each.own for each in made.members[2:4])
    assert f"as many parameters without attention (it has {plain:,}, the block {cam:,})" in text
    assert "judged: AP of the last EMA checkpoint on val (5 images)" in text
    assert "at Holm's first step among 2 blocks" in text
    assert "note: 2 seeds: there will be no verdict" in text


def test_controls_stand_outside_of_the_family(made: Made) -> None:
    assert family(made.plan) == 2


def test_time_of_all_runs_and_of_several_at_a_time() -> None:
    plan = make_plan(seeds=(0, 1, 2))
    probes = {each.name: HOUR for each in plan.variants}
    assert time_lines(plan, probes, 1) == [
        "time: about 9.0 hours on cpu x86_64 (a run 60 minutes, 2.0 GiB of memory)"
    ]
    assert time_lines(plan, probes, 2)[0].endswith("--max-parallel 2 about 4.5 hours at best")


def test_a_probe_that_failed_is_told_and_the_others_count() -> None:
    plan = make_plan()
    lines = time_lines(plan, {"yolox_demo": HOUR, "placebo": "out of memory"}, 1)
    assert lines[0].startswith("time: about 2.0 hours on cpu x86_64, without placebo")
    assert lines[1] == "note: no estimate for placebo: out of memory"
    assert time_lines(plan, {"placebo": "x"}, 1) == ["note: no estimate for placebo: x"]
    assert time_lines(plan, {}, 1) == ["time: not estimated (--no-probe)"]


def test_what_the_plan_file_keeps() -> None:
    plan = make_plan(blocks=("cam", "eca"), seeds=(0, 1, 2))
    kept = expected(plan, {"yolox_demo": HOUR, "placebo": "x"}, 1.0)
    assert kept["runs"] == 12
    assert kept["seconds_of_a_run"] == {"yolox_demo": 3600.0}
    assert kept["seconds"] == 3 * 3600.0
    assert kept["memory"] == 2**31
    assert kept["detectable"] == pytest.approx(4.6, abs=0.1)  # two blocks share alpha
    nothing = expected(plan, {}, None)
    assert (nothing["seconds"], nothing["detectable"], nothing["device"]) == (None, None, None)
