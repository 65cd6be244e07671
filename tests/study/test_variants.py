import re
from pathlib import Path

import pytest
import torch
from planned import write_exp

from yolox_attn.blocks import CAM, ECA
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.variants import (
    BuiltVariant,
    build_exp,
    build_variant,
    check_variants,
    planned_variants,
)

CHANNELS = (32, 64, 128)  # of dark3, dark4, dark5 at width 0.125
METHOD = (
    "\n    def get_lr_scheduler(self, lr, steps):\n        return super().get_lr_scheduler(lr, 5)\n"
)


@pytest.fixture
def base(tmp_path: Path) -> str:
    return write_exp(tmp_path, "base")


def build(
    base: str, *variants: str, controls: tuple[str, ...] = (), **overrides: str
) -> list[BuiltVariant]:
    words = tuple(word for pair in overrides.items() for word in pair)
    training = Training(None, overrides=words)
    return [build_variant(each, training) for each in planned_variants(base, variants, controls)]


def count(block: torch.nn.Module) -> int:
    return sum(each.numel() for each in block.parameters())


def exp_of(variant: PlannedVariant) -> AttentionExp:
    exp = load_exp(variant.exp_file)
    apply_overrides(exp, variant.overrides)
    return exp


def test_blocks_names_and_files_in_the_order_of_the_command(tmp_path: Path) -> None:
    mine = write_exp(tmp_path, "mine", "self.attention = 'se'")
    planned = planned_variants(
        "yolox-nano", ["cam", "yolox-nano-eca", mine], ["placebo", "plain:cam"]
    )
    assert [(each.name, each.role) for each in planned] == [
        ("yolox_nano", "baseline"),
        ("yolox_nano_placebo", "control"),
        ("yolox_nano_plain_cam", "control"),
        ("yolox_nano_cam", "variant"),
        ("yolox_nano_eca", "variant"),
        ("mine", "variant"),
    ]
    assert [each.exp_name for each in planned[3:]] == ["yolox-nano", "yolox-nano-eca", None]
    assert planned[-1].exp_file == str(Path(mine).resolve())
    assert len(planned[-1].exp_sha256 or "") == 64


def test_a_block_goes_into_ones_own_experiment(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    baseline, plain, cam = planned_variants("base.py", ["cam"], ["plain:cam"])
    assert cam.exp_file == plain.exp_file == baseline.exp_file == str(Path(base).resolve())
    assert cam.overrides == ("attention", "cam")
    assert cam.exp_sha256 == baseline.exp_sha256
    exp = exp_of(plain)
    assert (exp.attention, exp.attention_options) == ("plain", {"like": "cam"})


def test_options_of_the_baselines_own_block_are_not_those_of_another(tmp_path: Path) -> None:
    options = "self.attention_options = {'reduction': 4}"
    base = write_exp(tmp_path, "base", "self.attention = 'se'", options)
    exp = exp_of(planned_variants(base, ["cam"], [])[1])
    assert (exp.attention, exp.attention_options) == ("cam", {})


@pytest.mark.parametrize(
    ("baseline", "variants", "controls", "message"),
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
        ("yolox-nano", ["cam", "cam"], [], "yolox_nano_cam is given 2 times"),
        ("yolox-nano", ["cam", "yolox-nano-cam"], [], "yolox_nano_cam is given 2 times"),
        ("yolox-nano", ["yolox-nano"], [], "yolox_nano is given 2 times"),
        ("yolox-nano", [], ["placebo", "placebo"], "yolox_nano_placebo is given 2 times"),
    ],
)
def test_what_is_no_variant_is_refused(
    baseline: str, variants: list[str], controls: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        planned_variants(baseline, variants, controls)
    assert "\n" not in str(refused.value)


def test_a_name_is_a_folder_of_its_own_and_may_hold_dots(tmp_path: Path) -> None:
    for name in ("a/b", ".", ".."):
        bad = write_exp(tmp_path, "bad", f"self.exp_name = {name!r}")
        with pytest.raises(InputError, match=f"exp_name {name!r} cannot name a folder"):
            planned_variants(bad, [], [])
    dots = write_exp(tmp_path, "mine", "self.exp_name = '..v1.5.'")
    assert planned_variants(dots, [], [])[0].name == "..v1.5."


def test_what_is_built_is_counted_and_controls_are_what_their_blocks_make_them(base: str) -> None:
    baseline, placebo, plain, cam, eca = build(
        base, "cam", "eca", controls=("placebo", "plain:eca")
    )
    assert (baseline.blocks, baseline.own, baseline.attention) == ([], 0, {})
    assert cam.blocks == ["cam"]
    assert cam.own == sum(count(CAM(channels)) for channels in CHANNELS)
    assert cam.parameters == baseline.parameters + cam.own
    assert [each.role for each in (placebo, plain, eca)] == ["control", "control", "variant"]
    assert placebo.own == sum(CHANNELS)
    assert plain.wanted == sum(count(ECA(channels)) for channels in CHANNELS)
    assert plain.own == sum(2 * channels for channels in CHANNELS)  # it cannot be as small as eca
    assert placebo.wanted is None


def test_a_control_by_an_experiments_own_name_is_one() -> None:
    assert build("yolox-nano", "yolox-nano-placebo")[1].role == "control"


def test_identity_starts_of_blocks_and_controls(base: str) -> None:
    built = build(base, "cam", controls=("placebo", "plain:cam"), attention_init="identity")
    assert [each.own > 0 for each in built] == [False, True, True, True]
    assert check_variants(built) == []


def test_overrides_of_all_runs_reach_every_variant(base: str) -> None:
    training = Training(None, overrides=("max_epoch", "9"))
    for variant in planned_variants(base, ["cam"], []):
        assert build_exp(variant, training).max_epoch == 9


def test_a_variant_that_differs_in_more_is_refused(base: str, tmp_path: Path) -> None:
    lines = ("self.attention = 'se'", "self.degrees = 5.0", "self.mine = 3", "self.nmsthre = 0.5")
    other = write_exp(tmp_path, "other_se", *lines)
    message = (
        "other_se differs from base in more than attention: "
        "degrees 5.0 (there 10.0), mine 3 (there absent), nmsthre 0.5 (there 0.65)"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        check_variants(build(base, other))


def test_where_and_how_often_may_differ(base: str, tmp_path: Path) -> None:
    lines = ("self.attention = 'se'", "self.print_interval = 3", "self.output_dir = 'else'")
    assert check_variants(build(base, write_exp(tmp_path, "base_se", *lines))) == []


@pytest.mark.parametrize(
    ("attention", "twin", "what"), [("none", "base", "none"), ("se", "base_se", "se")]
)
def test_one_experiment_by_two_names_is_refused(
    base: str, tmp_path: Path, attention: str, twin: str, what: str
) -> None:
    again = write_exp(tmp_path, "again", f"self.attention = {attention!r}")
    with pytest.raises(InputError, match=f"again is the same as {twin}: attention {what} in both"):
        check_variants(build(base, "se", again))


def test_blocks_of_ones_own_are_not_taken_for_each_other(base: str, tmp_path: Path) -> None:
    """Two partials have one name, whatever they call."""
    line = "import functools, yolox_attn.blocks as b; self.attention = functools.partial(b.ECA)"
    files = [write_exp(tmp_path, name, line) for name in ("mine", "yours")]
    assert check_variants(build(base, *files)) == []


def test_a_method_of_its_own_is_named(base: str, tmp_path: Path) -> None:
    other = write_exp(tmp_path, "base_se", "self.attention = 'se'", methods=METHOD)
    (remark,) = check_variants(build(base, other))
    start = "base_se has its own get_lr_scheduler: that it differs from base in attention alone"
    assert remark.startswith(start)


def test_methods_of_the_baselines_file_are_no_difference(tmp_path: Path) -> None:
    base = write_exp(tmp_path, "base", methods=METHOD)
    assert check_variants(build(base, "cam")) == []


def test_a_name_that_says_another_block_is_named(base: str, tmp_path: Path) -> None:
    misnamed = write_exp(tmp_path, "base_cam", "self.attention = 'se'")
    assert check_variants(build(base, misnamed)) == ["base_cam is named after cam, and holds se"]


def test_a_checkpoint_of_another_model_is_refused(base: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"model": {"backbone.x": torch.zeros(2)}}, path)
    (variant,) = planned_variants(base, [], [])
    with pytest.raises(InputError, match=r"other.pth holds another model"):
        build_variant(variant, Training(None, checkpoint=str(path)))
