"""Recipes: settings that exist, and give way to what is said by itself."""

import pytest

from yolox_attn.commands.recipes import RECIPES, recipe_overrides
from yolox_attn.errors import InputError
from yolox_attn.exp import apply_overrides, load_exp


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("size", ["yolox-nano-cam", "yolox-s", "yolox-m"])
def test_a_recipe_fits_every_size(name, size):
    exp = load_exp(None, size)
    apply_overrides(exp, recipe_overrides(name, (), pretrained=name == "finetune"))
    exp.check()
    assert exp.max_epoch > exp.warmup_epochs + exp.no_aug_epochs


def test_scratch_is_yoloxs_own_schedule():
    exp, own = load_exp(None, "yolox-s"), load_exp(None, "yolox-s")
    apply_overrides(exp, ["max_epoch", "3", "basic_lr_per_img", "0.1", "ema_tau", "5"])
    apply_overrides(exp, recipe_overrides("scratch", (), pretrained=False))
    assert {key: (vars(exp)[key], value) for key, value in vars(own).items()
            if vars(exp)[key] != value} == {}  # fmt: skip


def test_what_is_set_otherwise_is_left_out():
    words = recipe_overrides("finetune", ["max_epoch", "seed"], pretrained=True)
    everything = recipe_overrides("finetune", [], pretrained=True)
    assert len(words) == len(everything) - 2
    assert "max_epoch" not in words


@pytest.mark.parametrize(
    ("name", "pretrained", "says"),
    [("finetune", False, "-c FILE"), ("scratch", True, "with -c: finetune")],
)
def test_a_recipe_for_the_other_start_is_refused(name, pretrained, says):
    with pytest.raises(InputError, match=says):
        recipe_overrides(name, [], pretrained=pretrained)


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_that_goes_on_has_had_its_start(name):
    assert recipe_overrides(name, [], pretrained=None)
