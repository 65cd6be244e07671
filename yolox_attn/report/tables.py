"""A Comparison as a terminal table, Markdown and CSV; AP in points (0-100) in all of them."""

import csv
import io
from collections.abc import Callable

from tabulate import tabulate

from yolox_attn.report.comparison import FIGURES, Comparison, Variant

DIGITS = {"AP": 2}  # the figure that is judged; 1 for the others


def as_text(comparison: Comparison) -> str:
    """Return the table for a terminal, with its caption and notes."""
    return _document(comparison, _table(comparison, "simple"), "")


def as_markdown(comparison: Comparison) -> str:
    """Return the table in GitHub's Markdown, with its caption and notes."""
    return _document(comparison, _table(comparison, "pipe"), "- ") + "\n"


def as_csv(comparison: Comparison) -> str:
    """Return one line a variant, in points, unrounded; empty where a number is undefined."""
    text = io.StringIO()
    rows = [_record(variant) for variant in comparison.variants]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _document(comparison: Comparison, table: str, bullet: str) -> str:
    height, width = comparison.test_size
    several = any(len(variant.runs) > 1 for variant in comparison.variants)
    images = "" if comparison.val_images is None else f" on {comparison.val_images} images"
    caption = (
        f"AP in points (0-100) of the latest checkpoint{images}"
        f"{', mean ± standard deviation over runs' if several else ''}; "
        f"diff: AP minus that of {comparison.baseline}; GFLOPs at {height}x{width}, "
        "2 a multiply-add."
    )
    notes = "\n".join(bullet + note for note in comparison.notes)
    return "\n\n".join(part for part in (table, caption, notes) if part)


def _table(comparison: Comparison, style: str) -> str:
    columns = _columns(comparison)
    escape = (lambda text: text.replace("|", "\\|")) if style == "pipe" else str
    rows = [[escape(show(variant)) for show in columns.values()] for variant in comparison.variants]
    alignment = ["left", *["right"] * (len(columns) - 1)]
    return tabulate(rows, list(columns), tablefmt=style, colalign=alignment, disable_numparse=True)


def _columns(comparison: Comparison) -> dict[str, Callable[[Variant], str]]:
    columns: dict[str, Callable[[Variant], str]] = {
        "variant": lambda variant: variant.name,
        "runs": lambda variant: str(len(variant.runs)),
    }
    for key in FIGURES:
        columns[key] = lambda variant, key=key: _mean(variant, key)  # type: ignore[misc]
        if key == "AP":
            columns["diff"] = _difference
    columns["params (M)"] = lambda variant: f"{(variant.parameters or 0) / 1e6:.2f}"
    columns["GFLOPs"] = _gflops
    if any(_in_training(variant) != _gflops(variant) for variant in comparison.variants):
        columns["in training"] = _in_training
    if any(variant.latency for variant in comparison.variants):
        columns["latency (ms)"] = _latency
    return columns


def _mean(variant: Variant, key: str) -> str:
    mean, sd, digits = variant.mean[key], variant.sd[key], DIGITS.get(key, 1)
    if mean is None:
        return "-"
    text = f"{100 * mean:.{digits}f}"
    return text if sd is None else f"{text} ± {100 * sd:.{digits}f}"


def _difference(variant: Variant) -> str:
    if variant.difference is None:
        return ""
    value = variant.difference.figures["AP"]
    return "-" if value is None else f"{100 * value:+.{DIGITS['AP']}f}"


def _gflops(variant: Variant) -> str:
    return f"{variant.gflops:.2f}"


def _in_training(variant: Variant) -> str:
    """The forward pass that is trained; the same as at inference where nobody counted it."""
    dense = variant.gflops_training
    return _gflops(variant) if dense is None else f"{dense:.2f}"


def _latency(variant: Variant) -> str:
    if variant.latency is None:
        return "-"
    spread = f"{variant.latency.low_ms:.1f}-{variant.latency.high_ms:.1f}"
    return f"{variant.latency.median_ms:.1f} ({spread})"


def _record(variant: Variant) -> dict[str, object]:
    """Return the variant's line of the CSV."""
    seeds = [str(run.seed) for run in variant.runs if run.seed is not None]
    row: dict[str, object] = {"variant": variant.name, "attention": variant.attention}
    row |= {"runs": len(variant.runs), "seeds": " ".join(seeds)}
    difference = variant.difference.figures if variant.difference else {}
    for key in FIGURES:
        row[key] = _points(variant.mean[key])
        row[f"{key}_sd"] = _points(variant.sd[key])
        row[f"{key}_difference"] = _points(difference.get(key))
    row |= {"parameters": variant.parameters, "gflops": variant.gflops}
    row["gflops_training"] = variant.gflops_training
    for part in ("median_ms", "low_ms", "high_ms"):
        row[f"latency_{part}"] = getattr(variant.latency, part, None)
    return row


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else round(100 * fraction, 10)  # without 100 * 0.29's tail
