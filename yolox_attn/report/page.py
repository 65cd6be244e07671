"""What stands below the first screen of the report's page; the words are the other formats' too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yolox_attn.report import details, explored, findings, origins, scatter
from yolox_attn.report.cells import filled, plain_columns
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.document import Grid, Section


@dataclass(frozen=True)
class Block:
    """A section with what the page adds.

    Args:
        anchor: its id in the page.
        figure: name of the one that belongs to it.
        folded: shown when it is asked for; half: of the page's width, where there is room.
    """

    section: Section
    anchor: str
    figure: str | None = None
    folded: bool = False
    half: bool = False


def blocks(comparison: Comparison) -> list[Block]:
    """Return the sections below the first screen, runs that are missing before any table."""
    alone = len(comparison.variants) == 1  # then its noise is all there is to say
    floor = Block(scatter.floor(comparison), "floor", half=True)
    table = plain_table if alone or comparison.terms is None else findings.main_table
    return [
        *([floor] if alone else []),
        Block(origins.dropped(comparison), "missing"),
        Block(table(comparison), "results"),
        Block(findings.seeds(comparison), "seeds", "seeds"),
        Block(scatter.noise(comparison), "noise"),
        *([] if alone else [floor]),
        Block(details.controls(comparison), "controls", half=True),
        Block(Section("AP against latency", ()), "latency", "latency", half=True),
        Block(Section("Learning curves", ()), "curves", "curves", half=True),
        Block(details.secondary(comparison), "secondary", folded=True),
        Block(explored.exploratory(comparison), "exploratory", "classes", folded=True),
        Block(details.built(comparison), "built"),
        Block(details.cost(comparison), "cost", half=True),
        Block(_plan(comparison), "plan", half=True),
        Block(origins.surroundings(comparison), "surroundings"),
        Block(origins.commands(comparison), "commands"),
        Block(origins.notes(comparison), "notes"),
    ]


def shown(found: Sequence[Block], figures: Mapping[str, str]) -> list[Block]:
    """Return the blocks that have something to show."""
    return [each for each in found if each.section.parts or each.figure in figures]


def plain_table(comparison: Comparison) -> Section:
    """The table of what was not judged."""
    heads, rows = filled(plain_columns(comparison), comparison.variants)
    text = (
        "AP in points (0-100), mean ± standard deviation over the runs where there are several; "
        f"diff: AP minus that of {comparison.baseline}."
    )
    return Section("Results", (Grid(heads, rows), text))


def _plan(comparison: Comparison) -> Section:
    """The plan; where there is none that is a warning beside verdicts, and nothing elsewhere."""
    found = origins.plan(comparison)
    told = comparison.plan is not None or comparison.judged()
    return found if told else Section(found.title, ())
