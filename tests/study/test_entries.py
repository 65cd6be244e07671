import re
from pathlib import Path

import pytest
from planned import write_exp

from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp
from yolox_attn.study.sources import planned_variants


def test_blocks_names_and_files_in_the_order_of_the_command(tmp_path: Path) -> None:
    mine = write_exp(tmp_path, "mine", "self.attention = 'se'")
    found = planned_variants(
        "yolox-nano", ["cam", "yolox-nano-eca", mine], ["placebo", "plain:cam"]
    )
    assert [(each.name, each.role) for each in found] == [
        ("yolox_nano", "baseline"),
        ("yolox_nano_placebo", "control"),
        ("yolox_nano_plain_cam", "control"),
        ("yolox_nano_cam", "variant"),
        ("yolox_nano_eca", "variant"),
        ("mine", "variant"),
    ]
    assert [each.exp_name for each in found[3:]] == ["yolox-nano", "yolox-nano-eca", None]
    assert found[-1].exp_file == str(Path(mine).resolve())
    assert len(found[-1].exp_sha256 or "") == 64


def test_a_block_goes_into_ones_own_experiment(tmp_path: Path) -> None:
    base = write_exp(tmp_path, "base")
    baseline, plain, cam = planned_variants(base, ["cam"], ["plain:cam"])
    assert cam.exp_file == plain.exp_file == baseline.exp_file == str(Path(base).resolve())
    assert cam.overrides == ("attention", "cam")
    assert cam.exp_sha256 == baseline.exp_sha256
    exp: AttentionExp = load_exp(plain.exp_file)
    apply_overrides(exp, plain.overrides)
    assert (exp.attention, exp.attention_options) == ("plain", {"like": "cam"})


def test_options_of_the_baselines_own_block_are_not_those_of_another(tmp_path: Path) -> None:
    options = "self.attention_options = {'reduction': 4}"
    base = write_exp(tmp_path, "base", "self.attention = 'se'", options)
    _, cam = planned_variants(base, ["cam"], [])
    exp = load_exp(cam.exp_file)
    apply_overrides(exp, cam.overrides)
    assert (exp.attention, exp.attention_options) == ("cam", {})


def test_paths_are_whole_wherever_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_exp(tmp_path, "base")
    monkeypatch.chdir(tmp_path)
    assert planned_variants("base.py", [], [])[0].exp_file == str(tmp_path.resolve() / "base.py")


@pytest.mark.parametrize(
    ("baseline", "variants", "controls", "told"),
    [
        ("yolox-huge", ["cam"], [], "-n yolox-huge: unknown"),
        ("nowhere.py", ["cam"], [], "no Exp file"),
        ("yolox-nano", ["camm"], [], "--variants camm: no Exp file (x.py), no name"),
        ("yolox-nano", ["none"], [], "--variants none: no Exp file"),
        ("yolox-nano", ["yolox-nano-camm"], [], "-n yolox-nano-camm: unknown block"),
        ("yolox-nano", ["nowhere.py"], [], "no Exp file"),
        ("yolox-nano", ["placebo"], [], "--variants placebo: it is a control; give it by --contr"),
        ("yolox-nano", ["plain:cam"], [], "--variants plain:cam: it is a control"),
        ("yolox-nano", [], ["plain"], "--controls plain: it is placebo, or plain:BLOCK"),
        ("yolox-nano", [], ["plain:none"], "--controls plain:none: it is placebo, or plain"),
        ("yolox-nano", [], ["placebo:cam"], "--controls placebo:cam: it is placebo"),
        ("yolox-nano", [], ["cam"], "--controls cam: it is placebo, or plain:BLOCK"),
        ("yolox-nano", ["cam", "cam"], [], "yolox_nano_cam stands 2 times in the study"),
        ("yolox-nano", ["cam", "yolox-nano-cam"], [], "yolox_nano_cam stands 2 times"),
        ("yolox-nano", ["yolox-nano"], [], "yolox_nano stands 2 times"),
        ("yolox-nano", [], ["placebo", "placebo"], "yolox_nano_placebo stands 2 times"),
    ],
)
def test_what_is_no_variant_is_refused(
    baseline: str, variants: list[str], controls: list[str], told: str
) -> None:
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        planned_variants(baseline, variants, controls)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a/b", ".", ".."])
def test_a_name_that_is_no_folder_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    bad = write_exp(tmp_path, "bad", f"self.exp_name = {name!r}")
    with pytest.raises(InputError, match=f"exp_name {name!r} cannot name a folder"):
        planned_variants(bad, [], [])


def test_a_name_may_hold_dots(tmp_path: Path) -> None:
    exp = write_exp(tmp_path, "mine", "self.exp_name = '..v1.5.'")
    assert planned_variants(exp, [], [])[0].name == "..v1.5."
