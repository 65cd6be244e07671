"""The order of a report: one list of its sections, and what each format makes of it."""

from collections.abc import Callable
from dataclasses import dataclass

from yolox_attn.report import details, sections
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.format import Section


@dataclass(frozen=True)
class Place:
    """Where a section stands.

    Args:
        make: the section; one without parts is not shown.
        anchor: its id in the page.
        terminal: shown in the terminal too, which has the first things only.
        figure: name of the one that belongs to it in the page.
        folded: in the page opened on demand; half: of the page's width, where there is room.
    """

    make: Callable[[Comparison], Section]
    anchor: str
    terminal: bool = False
    figure: str | None = None
    folded: bool = False
    half: bool = False


VERDICTS = Place(sections.verdicts, "verdicts", terminal=True, figure="intervals")
NOISE = Place(sections.seed_noise, "seed-noise", terminal=True, half=True)
ORDER = (
    VERDICTS,
    Place(sections.settling, "settling", terminal=True),
    Place(sections.dropped, "missing", terminal=True),
    Place(sections.results, "results", terminal=True),
    Place(sections.looks, "looks", terminal=True, figure="looks"),
    Place(sections.seeds, "seeds", terminal=True, figure="seeds"),
    Place(sections.noise, "noise", terminal=True),
    NOISE,
    Place(details.controls, "controls", half=True),
    Place(lambda _: Section("AP against latency", ()), "latency", figure="latency", half=True),
    Place(lambda _: Section("Learning curves", ()), "curves", figure="curves", half=True),
    Place(details.secondary, "secondary", folded=True),
    Place(details.exploratory, "exploratory", figure="classes", folded=True),
    Place(details.built, "built"),
    Place(details.cost, "cost", half=True),
    Place(sections.plan, "plan", half=True),
    Place(sections.provenance, "provenance", folded=True),
    Place(sections.commands, "commands"),
    Place(sections.notes, "notes", terminal=True),
)


def placed(comparison: Comparison) -> list[tuple[Place, Section]]:
    """Return all sections in their order; of a baseline alone its noise follows the warnings."""
    first = (VERDICTS, NOISE) if comparison.alone else ()
    order = sorted(ORDER, key=lambda place: place not in first)
    return [(place, place.make(comparison)) for place in order]
