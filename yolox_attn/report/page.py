"""What stands where on the report's page; the words are those of the other formats."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from yolox_attn.report import details, explored, findings, origins, scatter
from yolox_attn.report.cells import cost_columns, difference, filled, mean, size
from yolox_attn.report.comparison import FIGURES, Comparison, Variant
from yolox_attn.report.document import Grid, Section
from yolox_attn.stats.verdict import Word

KINDS = {  # word -> the name of its look
    Word.HELPS.value: "helps",
    Word.HURTS.value: "hurts",
    Word.NO_DIFFERENCE.value: "none",
    Word.CANNOT_TELL.value: "open",
}
COUNTED = {  # word -> how the headline counts variants of that verdict
    Word.HELPS.value: ("helps", "help"),
    Word.HURTS.value: ("hurts", "hurt"),
    Word.NO_DIFFERENCE.value: (
        "makes no worthwhile difference",
        "make no worthwhile difference",
    ),
    Word.CANNOT_TELL.value: ("cannot be told yet", "cannot be told yet"),
}
NUMBER = re.compile(r"[(<±]*([-+]?(?:\d[\d,]*)?\.?\d+)(?:[^\d]*?\b(min|h)\b)?")
SECONDS = {"min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Verdict:
    """A verdict's sentence in two parts: what is said, and the numbers it rests on."""

    word: str
    kind: str
    lead: str
    rest: str
    control: bool


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


def verdict_lines(comparison: Comparison) -> list[Verdict]:
    """Return the verdicts, blocks first; variants that could not be judged come last."""
    if comparison.terms is None:
        return []
    lines = []
    for variant, found in comparison.judged():
        lead, rest = _split(found.sentence, variant.name)
        control = variant.role == "control"
        lines.append(Verdict(found.word, KINDS[found.word], lead, rest, control))
    for variant in _unjudged(comparison):
        sentence = f"{variant.name} is not judged; the notes say why."
        lines.append(Verdict("not judged", "open", sentence, "", variant.role == "control"))
    return lines


def headline(comparison: Comparison) -> str:
    """All verdicts in one line; of the blocks, for a control is no result."""
    if len(comparison.variants) == 1:
        return _alone(comparison)
    judged = [(each, found) for each, found in comparison.judged() if each.role != "control"]
    if comparison.terms is None or not judged:
        return f"No verdict on {_others(comparison)} against {comparison.baseline}"
    if len(judged) == 1:
        name, word = judged[0][0].name, judged[0][1].word
        if word == Word.CANNOT_TELL.value:
            return f"Cannot tell whether {name} helps"
        return f"{name} {COUNTED[word][0]}"
    words = [found.word for _, found in judged]
    counts = {word: words.count(word) for word in COUNTED if word in words}
    parts = [f"{number} {COUNTED[word][number > 1]}" for word, number in counts.items()]
    listed = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    return f"Of {len(judged)} variants, {listed}"


def facts(comparison: Comparison) -> list[str]:
    """What the verdicts speak of, a few words each."""
    most = max((len(found.seeds) for _, found in comparison.judged()), default=0)
    images = "" if comparison.val_images is None else f"{comparison.val_images:,} test images"
    terms = comparison.terms
    known = [
        f"against {comparison.baseline}",
        f"{most} seed{'s' if most > 1 else ''} a side" if most else "",
        comparison.groups or images,
        f"an effect worth having: {terms.sesoi:g} AP or more" if terms else "",
    ]
    return [each for each in known if each]


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
    columns: dict[str, Callable[[Variant], str]] = {
        "variant": lambda variant: variant.name,
        "runs": lambda variant: str(len(variant.runs)),
    }
    for key in FIGURES:
        columns[key] = lambda variant, key=key: mean(variant, key)  # type: ignore[misc]
        if key == "AP":
            columns["diff"] = difference
    heads, rows = filled(columns | cost_columns(comparison), comparison.variants)
    text = (
        "AP in points (0-100), mean ± standard deviation over the runs where there are several; "
        f"diff: AP minus that of {comparison.baseline}."
    )
    return Section("Results", (Grid(heads, rows), text))


def sort_values(cells: Sequence[str]) -> list[float | None]:
    """Return the number each cell of a column sorts by; None for all if one of them is text.

    >>> sort_values(["95 s", "2.0 min", "-"])
    [95.0, 120.0, None]
    """
    found: list[float | None] = []
    for cell in cells:
        hit = NUMBER.match(cell)
        if hit is None and cell not in ("", "-", "unknown"):
            return [None] * len(cells)
        number = None if hit is None else float(hit[1].replace(",", ""))
        unit = SECONDS.get(hit[2] or "", 1.0) if hit else 1.0
        below = 1e-9 if cell.startswith("<") else 0.0
        found.append(None if number is None else number * unit - below)
    return found


def kind_of(cell: str) -> str | None:
    """Return the look of a cell that holds a verdict's word."""
    return KINDS.get(cell.removeprefix("control: "))


def _split(sentence: str, name: str) -> tuple[str, str]:
    """Cut after the colon behind the name, which may itself hold one."""
    start = sentence.find(name) + len(name)
    cut = sentence.find(": ", start)
    return (sentence, "") if cut < 0 else (sentence[:cut], sentence[cut + 2 :])


def _alone(comparison: Comparison) -> str:
    noise = comparison.seed_noise
    if noise is None:
        return f"{comparison.baseline}, compared with nothing"
    return f"{comparison.baseline} scatters by {size(noise.sd)} AP from seed to seed"


def _unjudged(comparison: Comparison) -> list[Variant]:
    return [
        each for each in comparison.variants if each.judgement is None and each.role != "baseline"
    ]


def _plan(comparison: Comparison) -> Section:
    """The plan; where there is none that is a warning beside verdicts, and nothing elsewhere."""
    found = origins.plan(comparison)
    told = comparison.plan is not None or comparison.judged()
    return found if told else Section(found.title, ())


def _others(comparison: Comparison) -> str:
    names = [each.name for each in comparison.variants if each.name != comparison.baseline]
    return names[0] if len(names) == 1 else f"{len(names)} variants"
