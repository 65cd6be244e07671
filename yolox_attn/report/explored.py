"""The exploratory part of a report: the other figures, and the classes."""

from yolox_attn.report.cells import NONE, Columns, filled, mean, p_text, signed, span
from yolox_attn.report.comparison import FIGURES, Comparison
from yolox_attn.report.document import Grid, Part, Section
from yolox_attn.stats.explore import LEAST_IMAGES
from yolox_attn.stats.judgement import Exploratory


def exploratory(comparison: Comparison) -> Section:
    """The other figures and the classes."""
    judged = comparison.judged()
    if not judged:
        return Section("Exploratory", ())
    text = (
        "Exploratory: where a difference might lie, never whether there is one. In brackets the "
        "95 % interval, unadjusted; p adjusted by Benjamini and Hochberg over a variant's figures, "
        "or over its classes."
    )
    columns: Columns = {"variant": lambda variant: variant.name}
    columns |= {key: lambda variant, key=key: mean(variant, key) for key in FIGURES}  # type: ignore[misc]
    parts: list[Part] = [text, Grid(*filled(columns, comparison.variants))]
    parts += [grid for kind in ("figure", "class") if (grid := _explored(comparison, kind))]
    if any(_rare(each) for _, found in judged for each in found.exploratory):
        parts.append(f"A class on fewer than {LEAST_IMAGES} images has no interval and no p value.")
    return Section("Other figures and classes (exploratory)", parts)


def _explored(comparison: Comparison, kind: str) -> Grid | None:
    """Rows: the figures or classes; columns: the variants."""
    judged = comparison.judged()
    found = {
        variant.name: {each.name: each for each in known.exploratory if each.kind == kind}
        for variant, known in judged
    }
    names = {name: each for known in found.values() for name, each in known.items()}
    rows = [
        [name, *_images(each), *(_cell(known.get(name)) for known in found.values())]
        for name, each in names.items()
    ]
    images = ["images"] if kind == "class" else []
    return Grid([kind, *images, *found], rows) if rows else None


def _images(each: Exploratory) -> list[str]:
    return [] if each.kind == "figure" else [NONE if each.images is None else str(each.images)]


def _cell(each: Exploratory | None) -> str:
    if each is None or each.difference is None:
        return NONE
    text = signed(each.difference)
    if each.interval is None:
        return text
    return f"{text} ({span(each.interval)}), p {p_text(each.p_adjusted)}"


def _rare(each: Exploratory) -> bool:
    return each.images is not None and each.images < LEAST_IMAGES
