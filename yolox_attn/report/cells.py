"""The words in a report's cells, the same in the terminal, Markdown, LaTeX and HTML; AP points."""

from collections.abc import Callable, Iterable, Mapping

from yolox_attn.report.comparison import FIGURES, Comparison, Variant
from yolox_attn.stats.judgement import Ends, Judgement
from yolox_attn.stats.verdict import MIN_SEEDS
from yolox_attn.stats.wording import points

NONE = "-"  # a number that does not exist; the baseline's cells of what is judged are empty
DIGITS = {"AP": 2}  # the figure that is judged; 1 for the others
Columns = dict[str, Callable[[Variant], str]]
Table = tuple[list[str], list[list[str]]]  # headers, rows


def main_columns(comparison: Comparison) -> Columns:
    """Return header -> cell of a judged comparison's main table, also those that stay empty."""
    columns: Columns = {
        "variant": lambda variant: variant.name,
        "runs": runs,
        "AP": lambda variant: mean(variant, "AP"),
        "diff": difference,
        f"{confidence(comparison)} interval": of_judgement(lambda found: span(found.interval)),
        "Holm p": of_judgement(holm_p),
        "seeds won": of_judgement(seeds_won),
    }
    if comparison.terms is not None:
        columns["verdict"] = verdict
    return columns | cost_columns(comparison)


def plain_columns(comparison: Comparison) -> Columns:
    """Return the columns of what was not judged: every figure, and the difference in AP."""
    columns: Columns = {
        "variant": lambda variant: variant.name,
        "runs": lambda variant: str(len(variant.runs)),
    }
    for key in FIGURES:
        columns[key] = lambda variant, key=key: mean(variant, key)  # type: ignore[misc]
        if key == "AP":
            columns["diff"] = difference
    return columns | cost_columns(comparison)


def cost_columns(comparison: Comparison) -> Columns:
    """Return the columns of what a variant costs at inference."""
    columns: Columns = {"params (M)": parameters, "GFLOPs": gflops}
    if any(in_training(each) != gflops(each) for each in comparison.variants):
        columns["in training"] = in_training
    return columns | {"latency (ms)": latency}


def filled(columns: Mapping[str, Callable[[Variant], str]], variants: Iterable[Variant]) -> Table:
    """Return headers and rows without the columns in which nothing stands."""
    rows = [{head: show(variant) for head, show in columns.items()} for variant in variants]
    heads = [head for head in columns if any(row[head] not in ("", NONE) for row in rows)]
    return heads, [[row[head] for head in heads] for row in rows]


def confidence(comparison: Comparison) -> str:
    """The level of the intervals: "95 %"."""
    alpha = 0.05 if comparison.terms is None else comparison.terms.alpha
    return f"{100 - 100 * alpha:g} %"


def mean(variant: Variant, key: str) -> str:
    """Mean over the runs, with their standard deviation: "40.12 ± 0.45"."""
    value, sd, digits = variant.mean[key], variant.sd[key], DIGITS.get(key, 1)
    if value is None:
        return NONE
    text = f"{100 * value:.{digits}f}"
    return text if sd is None else f"{text} ± {100 * sd:.{digits}f}"


def difference(variant: Variant) -> str:
    """The judged difference in points; the one of all runs where nothing was judged."""
    if variant.judgement is not None:
        return signed(variant.judgement.difference)
    return "" if variant.difference is None else signed(variant.difference.figures["AP"])


def signed(fraction: float | None) -> str:
    """A difference in points, with its sign."""
    return NONE if fraction is None else points(100 * fraction)


def span(ends: Ends | None) -> str:
    """An interval in points: "+0.31 to +1.20"."""
    return NONE if ends is None else f"{signed(ends[0])} to {signed(ends[1])}"


def size(fraction: float | None) -> str:
    """A spread in points, without a sign; "0.004" where two decimals would say 0."""
    return NONE if fraction is None else points(100 * fraction).lstrip("+-")


def p_text(p: float | None) -> str:
    """A p value with three decimals, "<0.001" below them."""
    if p is None:
        return NONE
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def holm_p(found: Judgement) -> str:
    """The adjusted p; a control's own, unadjusted, in brackets; none from too few seeds."""
    if len(found.seeds) < MIN_SEEDS:
        return NONE
    return f"({p_text(found.p_value)})" if found.p_holm is None else p_text(found.p_holm)


def seeds_won(found: Judgement) -> str:
    """P(B > A) in words: "4 of 5 (.28-.99)", "3 of 5, 1 tied (.15-.99)"."""
    ties = f", {found.ties} tied" if found.ties else ""
    lower, upper = (f"{end:.2f}".removeprefix("0") for end in found.probability_interval)
    return f"{found.wins} of {len(found.seeds)}{ties} ({lower}-{upper})"


def verdict(variant: Variant) -> str:
    """The verdict's word, with the role of what is no block under study."""
    if variant.role == "baseline":
        return "baseline"
    word = "not judged" if variant.judgement is None else variant.judgement.word
    return f"control: {word}" if variant.role == "control" else word


def runs(variant: Variant) -> str:
    """How many runs, and how many of them have a partner if not all have."""
    text = str(len(variant.runs))
    if variant.judgement is None or len(variant.judgement.seeds) == len(variant.runs):
        return text
    return f"{text} ({len(variant.judgement.seeds)} paired)"


def parameters(variant: Variant) -> str:
    """Parameters in millions."""
    return NONE if variant.parameters is None else f"{variant.parameters / 1e6:.2f}"


def gflops(variant: Variant) -> str:
    """GFLOPs of one image at inference."""
    return NONE if variant.gflops is None else f"{variant.gflops:.2f}"


def in_training(variant: Variant) -> str:
    """The forward pass that is trained; the same as at inference where nobody counted it."""
    dense = variant.gflops_training
    return gflops(variant) if dense is None else f"{dense:.2f}"


def latency(variant: Variant) -> str:
    """Median, and 10th to 90th percentile: "20.1 (19.8-22.0)"."""
    if variant.latency is None:
        return NONE
    spread = f"{variant.latency.low_ms:.1f}-{variant.latency.high_ms:.1f}"
    return f"{variant.latency.median_ms:.1f} ({spread})"


def of_judgement(show: Callable[[Judgement], str]) -> Callable[[Variant], str]:
    """Show a number of a judgement; nothing for the baseline, a dash for what was not judged."""

    def cell(variant: Variant) -> str:
        if variant.judgement is None:
            return "" if variant.role == "baseline" else NONE
        return show(variant.judgement)

    return cell
