from collections.abc import Callable

import pytest
import torch
from torch import nn

from yolox_attn.blocks import ECA, Placebo, Plain
from yolox_attn.errors import InputError
from yolox_attn.models import (
    ATTENTION_PREFIX,
    LEVELS,
    IdentityStart,
    Placement,
    place,
)

CONTROLS = [("placebo", {}), ("plain", {"like": "cam"})]
every_control = pytest.mark.parametrize(("name", "options"), CONTROLS)
every_init = pytest.mark.parametrize("init", ["published", "identity"])


class Own(nn.Module):
    def __init__(self, channels: int, *, power: int = 1) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(channels, 1, 1))
        self.power = power

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale**self.power


class Halves(Own):
    out_channels = 4


def test_options_of_a_level_without_a_block_are_refused() -> None:
    with pytest.raises(InputError, match="attention none at dark4 takes no options, got b"):
        place({"dark5": "eca"}, {"dark4": {"b": 3}})


def test_one_name_goes_to_every_level() -> None:
    assert [(p.level, p.name) for p in place("eca")] == [(level, "eca") for level in LEVELS]


def test_attention_levels_restrict_a_single_choice() -> None:
    assert [p.level for p in place("eca", {}, ("dark5", "dark3"))] == ["dark3", "dark5"]


def test_a_choice_per_level_with_its_options() -> None:
    placed = place({"dark3": "eca", "dark5": Own}, {"dark3": {"b": 3}})
    assert [p.level for p in placed] == ["dark3", "dark5"]
    assert placed[0].options == {"b": 3}
    assert placed[1].name == f"{__name__}:Own"


def test_none_places_nothing() -> None:
    assert place("none") == ()
    assert place({"dark3": "none", "dark4": "se"})[0].level == "dark4"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ecaa",), "unknown attention 'ecaa' at dark3; known: acmix, .*; controls: placebo"),
        (({"dark6": "eca"},), "unknown level 'dark6'; levels are dark3, dark4, dark5"),
        (("eca", {}, ("dark9",)), "attention_levels: unknown level 'dark9'"),
        (({"dark3": "eca"}, {}, ("dark3",)), "drop the latter"),
        (({"dark3": "eca"}, {"b": 3}), "attention_options .* unknown level 'b'"),
        (("none", {"b": 3}), "none at dark3 takes no options"),
        ((7,), "attention at dark3 is 7; give a name or a callable"),
    ],
)
def test_what_cannot_be_placed_is_refused(arguments: tuple, says: str) -> None:
    with pytest.raises(InputError, match=says):
        place(*arguments)


def test_an_options_error_names_block_and_level() -> None:
    with pytest.raises(InputError, match=r"attention eca at dark4: .*bb"):
        Placement("dark4", "eca", {"bb": 3}).build(8, "published")


def test_a_callable_that_returns_no_module_is_refused() -> None:
    with pytest.raises(InputError, match="returned int"):
        Placement("dark4", lambda channels: channels).build(8, "published")


@every_init
def test_a_block_that_changes_the_channels_is_refused(init: str) -> None:
    with pytest.raises(InputError, match="turns 8 channels into 4"):
        Placement("dark4", Halves).build(8, init)


def test_values_depend_on_seed_and_level_alone() -> None:
    def built(level: str, seed: int, init: str = "published") -> torch.Tensor:
        torch.manual_seed(seed)
        torch.rand(seed + 3)  # what was drawn before does not matter
        block = Placement(level, Own).build(8, init)
        return (block.block if isinstance(block, IdentityStart) else block).scale.detach()

    assert torch.equal(built("dark3", 1), built("dark3", 1, "identity"))
    assert not torch.equal(built("dark3", 1), built("dark4", 1))
    assert not torch.equal(built("dark3", 1), built("dark3", 2))


def test_building_leaves_the_random_stream_where_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    Placement("dark3", ECA).build(64, "published")
    assert torch.equal(torch.rand(4), expected)


@every_init
@every_control
def test_a_control_is_placed_bare(
    name: str, options: dict[str, str], init: str, detector: Callable
) -> None:
    kind = {"placebo": Placebo, "plain": Plain}[name]
    model = detector(name, attention_options=options, attention_init=init)
    blocks = model.backbone.backbone.attention
    assert [type(block) for block in blocks.values()] == [kind] * 3
    assert [p.name for p in place(name, options)] == [name] * 3


@every_init
@every_control
def test_a_controlled_detector_starts_as_the_baseline(
    name: str, options: dict[str, str], init: str, detector: Callable
) -> None:
    baseline = detector()
    controlled = detector(name, attention_options=options, attention_init=init)
    state, new = baseline.state_dict(), controlled.state_dict()
    assert all(torch.equal(new[key], value) for key, value in state.items())
    assert all(key.startswith(ATTENTION_PREFIX) for key in new.keys() - state.keys())
    x = torch.rand(2, 3, 64, 96) * 255
    with torch.no_grad():  # in training mode: the norms of a fresh network let little through
        theirs, ours = baseline.backbone(x), controlled.backbone(x)
    assert all(torch.equal(a, b) for a, b in zip(theirs, ours, strict=True))
