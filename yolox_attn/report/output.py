"""A Comparison on disk: comparison.json (fractions, complete), and what people read (points)."""

import csv
import dataclasses
import io
import statistics
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.report.comparison import Comparison, Variant, cleaned
from yolox_attn.report.text import as_markdown
from yolox_attn.runs import read_json, write_text
from yolox_attn.runs.codec import convert, to_json
from yolox_attn.stats.verdict import EDITION
from yolox_attn.stats.weighted_ap import AP_METRICS

SCHEMA = 4
FIRST_EDITION = 3  # schema of what the first edition judged
NAME = "comparison"
FIGURES = "figures"  # the folder of the drawings
FORMULA = ("=", "+", "-", "@")  # how a cell begins that a spreadsheet would compute
FRACTIONS = ("difference", "seed_error", "image_error", "detectable")  # of a judgement
INTERVALS = ("interval", "narrow", "crossed", "checkpoints")


def as_csv(comparison: Comparison) -> str:
    """Return one line a variant, in points, unrounded; empty where a number is undefined.

    "missing" names the seeds that were left out; a variant without any run left has a line too.
    """
    gone: dict[str, str] = {}
    for each in comparison.dropped:
        gone[each.name] = f"{gone.get(each.name, '')} {'?' if each.seed is None else each.seed}"
    rows = [_row(variant, gone.pop(variant.name, "").strip()) for variant in comparison.variants]
    if comparison.terms is not None:
        judged = zip(rows, comparison.variants, strict=True)
        rows = [row | _judged(variant) for row, variant in judged]
    rows += [{"variant": name, "runs": 0, "missing": seeds.strip()} for name, seeds in gone.items()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _no_formula(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _no_formula(value: object) -> object:
    """Return a text so that a spreadsheet takes it for one; a number stays a number."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write comparison.md, .csv, .tex, .json, .html and figures/*.svg; return their paths.

    A drawing of an earlier comparison that this one has nothing for is removed.
    """
    # Here, not above: to read or print a comparison takes neither matplotlib nor jinja2.
    from yolox_attn.report.figures import DRAWINGS, draw
    from yolox_attn.report.html import as_html
    from yolox_attn.report.latex import as_latex

    shown = cleaned(comparison)
    drawn = draw(shown)
    texts = {
        f"{NAME}.md": as_markdown(shown),
        f"{NAME}.csv": as_csv(shown),
        f"{NAME}.tex": as_latex(shown),
        f"{NAME}.json": to_json({"schema": SCHEMA, **dataclasses.asdict(comparison)}),
        f"{NAME}.html": as_html(shown, drawn),
        **{f"{FIGURES}/{name}.svg": text for name, text in drawn.items()},
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    for name in DRAWINGS.keys() - drawn.keys():
        (folder / FIGURES / f"{name}.svg").unlink(missing_ok=True)
    return [folder / name for name in texts]


def find_comparison(path: Path) -> Path | None:
    """Return the comparison.json of a study, of its report's folder, or that it is itself."""
    places = (path, path / "report" / f"{NAME}.json", path / f"{NAME}.json")
    return next((each for each in places if each.is_file()), None)


def read_comparison(path: Path) -> Comparison:
    """Return the Comparison that `path`, a comparison.json, holds.

    Raises:
        InputError: the file cannot be read or is of another schema.
    """
    what = "a comparison"
    values = read_json(path, dict[str, Any], what)
    if (schema := values.pop("schema", None)) == FIRST_EDITION:
        says = f"judged by edition 1 of the procedure, this is edition {EDITION}"
        raise InputError(f"{path} was {says}; compare the runs again")
    if schema != SCHEMA:
        says = f"not a comparison of schema {SCHEMA} (it says {schema!r})"
        raise InputError(f"{path}: {says}; compare the runs again")
    return convert(values, Comparison, str(path), what)


def _row(variant: Variant, missing: str) -> dict[str, object]:
    seeds = [str(run.seed) for run in variant.runs if run.seed is not None]
    row: dict[str, object] = {"variant": variant.name, "attention": variant.attention}
    row |= {"runs": len(variant.runs), "seeds": " ".join(seeds), "missing": missing}
    difference = variant.difference.metrics if variant.difference else {}
    for key in AP_METRICS:
        row[key] = _points(variant.mean[key])
        row[f"{key}_sd"] = _points(variant.sd[key])
        row[f"{key}_difference"] = _points(difference.get(key))
    row |= {"parameters": variant.parameters, "gflops": variant.gflops}
    row["gflops_training"] = variant.gflops_training
    for part in ("median_ms", "low_ms", "high_ms"):
        row[f"latency_{part}"] = getattr(variant.latency, part, None)
    return row


def _judged(variant: Variant) -> dict[str, object]:
    def of(name: str) -> Any:
        return getattr(variant.judgement, name, None)

    row: dict[str, object] = {"role": variant.role, "verdict": of("word"), "amount": of("amount")}
    row["paired_seeds"] = " ".join(map(str, of("seeds") or ()))
    row |= {name: _points(of(name)) for name in FRACTIONS}
    for name in INTERVALS:
        low, high = of(name) or (None, None)
        row |= {f"{name}_low": _points(low), f"{name}_high": _points(high)}
    several = of("seed_error") is not None  # one seed has no p value
    for key, name in (("p", "p_value"), ("p_holm", "p_holm"), ("p_equivalence", "p_equivalence")):
        row[key] = of(name) if several else None
    row |= {"sign_flip": of("sign_flip"), "p_superiority": of("probability")}
    low, high = of("probability_interval") or (None, None)
    row |= {"p_superiority_low": low, "p_superiority_high": high}
    row |= {name: of(name) for name in ("wins", "ties", "effective")}
    row |= {"trainable": variant.trainable, "optimised": variant.optimised}
    seconds = [run.seconds for run in variant.runs if run.seconds is not None]
    peaks = [run.peak_memory for run in variant.runs if run.peak_memory is not None]
    row["seconds_mean"] = statistics.fmean(seconds) if seconds else None
    row["peak_memory_max"] = max(peaks, default=None)
    return row


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else round(100 * fraction, 10)  # without 100 * 0.29's tail
