"""Which block stands at which backbone output: one name, one callable, or a choice per level."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from yolox_attn.blocks import ATTENTIONS, CONTROLS, create_attention, known_names
from yolox_attn.errors import InputError, line_in
from yolox_attn.models.identity import identity_start
from yolox_attn.runs.record import without_path
from yolox_attn.seed import derive

LEVELS = ("dark3", "dark4", "dark5")  # strides 8, 16, 32
INITS = ("published", "identity")

BlockChoice = str | Callable[..., nn.Module]
AttentionChoice = BlockChoice | Mapping[str, BlockChoice]


@dataclass(frozen=True)
class Placement:
    """One block at one level: what to build and the options to build it with."""

    level: str
    block: BlockChoice
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The zoo's name, or "module:qualname" of a block that is the user's own."""
        if isinstance(self.block, str):
            return self.block
        return name_of(self.block)

    def build(self, channels: int, init: str) -> nn.Module:
        """Return the block for `channels` channels, initialised as "published" or "identity".

        Its values come from a side stream of torch's seed, named after the level: what the rest of
        the network draws, and what another level holds, neither changes nor is changed by them.

        Raises:
            InputError: the block refuses its options, or changes the number of channels.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(torch.initial_seed(), "attention", self.level))
            block = self._create(channels)
        out_channels = getattr(block, "out_channels", channels)
        if out_channels != channels:
            raise InputError(
                f"attention {self.name} at {self.level} turns {channels} channels into "
                f"{out_channels}; the neck and attention_init need as many as before"
            )
        return identity_start(block, channels) if init == "identity" else block

    def _create(self, channels: int) -> nn.Module:
        if isinstance(self.block, str):
            try:
                return create_attention(self.block, channels, **self.options)
            except (TypeError, ValueError) as error:
                raise InputError(f"attention {self.name} at {self.level}: {error}") from error
        try:
            block = self.block(channels, **self.options)
        except Exception as error:
            raise InputError(
                f"attention {self.name} at {self.level} cannot be built for {channels} channels: "
                f"{type(error).__name__}: {error}{_place(error, self.block)}"
            ) from error
        if not isinstance(block, nn.Module):
            raise InputError(
                f"attention {self.name} at {self.level} returned {type(block).__name__}; "
                "a block is a callable channels -> torch.nn.Module"
            )
        return block


def place(
    attention: AttentionChoice,
    options: Mapping[str, Any] | None = None,
    levels: tuple[str, ...] = LEVELS,
) -> tuple[Placement, ...]:
    """Return the blocks to build, in the order of the levels; "none" builds nothing.

    Args:
        attention: a name of the zoo, of a control, or a callable `channels -> nn.Module` for every
            level in `levels`, or a mapping from level to any of these.
        options: the block's options; with a mapping, a mapping from level to options.
        levels: where a single choice goes; a mapping says it by itself.

    Raises:
        InputError: an unknown level, block or shape of options.
    """
    per_level = isinstance(attention, Mapping)
    chosen = dict(attention) if isinstance(attention, Mapping) else dict.fromkeys(levels, attention)
    _check_levels("attention" if per_level else "attention_levels", chosen)
    given = dict(options or {})
    if per_level:
        if tuple(levels) != LEVELS:
            raise InputError("attention per level and attention_levels together: drop the latter")
        _check_levels("attention_options (one dict a level, as attention is)", given)
    placements = []
    for level in LEVELS:
        block = chosen.get(level, "none")
        _check_block(block, level)
        wanted = dict(given.get(level) or {}) if per_level else given
        if block != "none":
            placements.append(Placement(level, block, wanted))
        elif wanted and (per_level or level in chosen):
            raise InputError(f"attention none at {level} takes no options, got {', '.join(wanted)}")
    return tuple(placements)


def name_of(thing: Any) -> str:
    """Return "module:qualname" of a callable; of one from an Exp file "stem:qualname".

    The name under which an Exp file is imported holds a hash of where it lies.
    """
    home = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{without_path(home.__module__)}:{home.__qualname__}"


def _place(error: BaseException, block: BlockChoice) -> str:
    try:
        return line_in(error, inspect.getfile(block))  # type: ignore[arg-type]
    except (TypeError, OSError):
        return ""


def _check_levels(what: str, levels: Mapping[str, Any]) -> None:
    if unknown := [level for level in levels if level not in LEVELS]:
        raise InputError(f"{what}: unknown level {unknown[0]!r}; levels are {', '.join(LEVELS)}")


def _check_block(block: object, level: str) -> None:
    if isinstance(block, str):
        if block not in ATTENTIONS | CONTROLS:
            raise InputError(f"unknown attention {block!r} at {level}; known: {known_names()}")
    elif isinstance(block, nn.Module):
        kind = type(block).__name__
        raise InputError(
            f"attention at {level} is an object of {kind}: give the class, attention = {kind}; "
            "every level builds its own with its number of channels"
        )
    elif not callable(block):
        raise InputError(f"attention at {level} is {block!r}; give a name or a callable")
