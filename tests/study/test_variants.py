from pathlib import Path

import pytest
import torch
from planned import write_exp

from yolox_attn.blocks import CAM, ECA
from yolox_attn.errors import InputError
from yolox_attn.study.plan import Training
from yolox_attn.study.sources import planned_variants
from yolox_attn.study.variants import BuiltVariant, build_exp, build_variant, check_variants

CHANNELS = (32, 64, 128)  # of dark3, dark4, dark5 at width 0.125


@pytest.fixture
def base(tmp_path: Path) -> str:
    return write_exp(tmp_path, "base")


def members(base: str, *variants: str, controls: tuple[str, ...] = (), **more: str) -> list[BuiltVariant]:
    overrides = tuple(word for pair in more.items() for word in pair)
    training = Training(None, overrides=overrides)
    return [build_variant(each, training) for each in planned_variants(base, variants, controls)]


def count(block: torch.nn.Module) -> int:
    return sum(each.numel() for each in block.parameters())


def test_what_is_built_is_counted(base: str) -> None:
    plain, cam = members(base, "cam")
    assert (plain.blocks, plain.own, plain.attention) == ([], 0, {})
    assert cam.blocks == ["cam"]
    assert cam.own == sum(count(CAM(channels)) for channels in CHANNELS)
    assert cam.parameters == plain.parameters + cam.own


def test_controls_are_what_their_blocks_make_them(base: str) -> None:
    _, placebo, plain, eca = members(base, "eca", controls=("placebo", "plain:eca"))
    assert [each.role for each in (placebo, plain, eca)] == ["control", "control", "variant"]
    assert placebo.own == sum(CHANNELS)
    assert plain.wanted == sum(count(ECA(channels)) for channels in CHANNELS)
    assert plain.own == sum(2 * channels for channels in CHANNELS)  # it cannot be as small as eca
    assert placebo.wanted is None


def test_a_control_by_an_experiments_own_name_is_one() -> None:
    _, placebo = members("yolox-nano", "yolox-nano-placebo")
    assert placebo.role == "control"


def test_identity_starts_of_blocks_and_controls(base: str) -> None:
    found = members(base, "cam", controls=("placebo", "plain:cam"), attention_init="identity")
    assert [each.own > 0 for each in found] == [False, True, True, True]
    assert check_variants(found) == []


def test_overrides_of_all_runs_reach_every_variant(base: str) -> None:
    training = Training(None, overrides=("max_epoch", "9"))
    for variant in planned_variants(base, ["cam"], []):
        assert build_exp(variant, training).max_epoch == 9


def test_a_schedule_without_room_is_refused(base: str) -> None:
    with pytest.raises(InputError, match="max_epoch 1 leaves no epoch"):
        members(base, max_epoch="1")


def test_a_variant_that_differs_in_more_is_refused(base: str, tmp_path: Path) -> None:
    lines = ("self.attention = 'se'", "self.degrees = 5.0", "self.nmsthre = 0.5")
    other = write_exp(tmp_path, "other_se", *lines)
    told = (
        r"other_se differs from base in more than attention: "
        r"degrees 5.0 \(there 10.0\), nmsthre 0.5 \(there 0.65\)"
    )
    with pytest.raises(InputError, match=told):
        check_variants(members(base, other))


def test_a_setting_that_only_one_has_is_a_difference(base: str, tmp_path: Path) -> None:
    other = write_exp(tmp_path, "other", "self.attention = 'se'", "self.mine = 3")
    with pytest.raises(InputError, match=r"mine 3 \(there absent\)"):
        check_variants(members(base, other))


def test_where_and_how_often_may_differ(base: str, tmp_path: Path) -> None:
    lines = ("self.attention = 'se'", "self.print_interval = 3", "self.output_dir = 'else'")
    assert check_variants(members(base, write_exp(tmp_path, "base_se", *lines))) == []


def test_a_variant_without_attention_is_the_baseline_again(base: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="twin is the same as base: attention none in both"):
        check_variants(members(base, write_exp(tmp_path, "twin")))


def test_one_experiment_by_two_names_is_refused(base: str, tmp_path: Path) -> None:
    twin = write_exp(tmp_path, "twin", "self.attention = 'se'")
    with pytest.raises(InputError, match="twin is the same as base_se: attention se in both"):
        check_variants(members(base, "se", twin))


def test_blocks_of_ones_own_are_not_taken_for_each_other(base: str, tmp_path: Path) -> None:
    """Two partials have one name, whatever they call."""
    line = "import functools, yolox_attn.blocks as b; self.attention = functools.partial(b.ECA)"
    files = [write_exp(tmp_path, name, line) for name in ("mine", "yours")]
    assert check_variants(members(base, *files)) == []


METHOD = (
    "\n    def get_lr_scheduler(self, lr, steps):\n        return super().get_lr_scheduler(lr, 5)\n"
)


def test_a_method_of_its_own_is_told(base: str, tmp_path: Path) -> None:
    other = write_exp(tmp_path, "base_se", "self.attention = 'se'", methods=METHOD)
    (told,) = check_variants(members(base, other))
    assert told.startswith("base_se has its own get_lr_scheduler: that it differs from base in att")


def test_methods_of_the_baselines_file_are_no_difference(tmp_path: Path) -> None:
    base = write_exp(tmp_path, "base", methods=METHOD)
    assert check_variants(members(base, "cam")) == []


def test_a_name_that_says_another_block_is_told(base: str, tmp_path: Path) -> None:
    liar = write_exp(tmp_path, "base_cam", "self.attention = 'se'")
    assert check_variants(members(base, liar)) == ["base_cam is named after cam, and holds se"]


def test_a_checkpoint_of_another_model_is_refused(base: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"model": {"backbone.x": torch.zeros(2)}}, path)
    (variant,) = planned_variants(base, [], [])
    with pytest.raises(InputError, match=r"other.pth holds another model"):
        build_variant(variant, Training(None, checkpoint=str(path)))
