"""The first part of a report: verdicts, what would settle the open ones, and what they rest on."""

from collections.abc import Sequence

from yolox_attn.report.cells import confidence, filled, main_columns, signed
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.document import Bullets, Grid, Part, Section
from yolox_attn.report.scatter import floor, noise

__all__ = ["caption", "floor", "main_table", "noise", "seeds", "settling", "verdicts"]


def verdicts(comparison: Comparison) -> Section:
    """One sentence a variant, blocks first, after what all of them speak of."""
    judged = comparison.judged()
    title = f"Verdicts against {comparison.baseline}"
    items = [marked(variant) + found.sentence for variant, found in judged]
    items += [
        f"{marked(each)}{each.name} is not judged; the notes say why."
        for each in comparison.variants
        if each.judgement is None and each.role != "baseline"
    ]
    if not items:
        return Section(title, ())
    return Section(title, (scale(comparison), Bullets(items), *_warnings(comparison)))


def settling(comparison: Comparison) -> Section:
    """What would settle the open cases; variants of which the same is said stand together.

    Nobody trains to settle a control: what is open there may stay open.
    """
    names: dict[str, list[str]] = {}
    for variant, found in comparison.judged():
        if found.settling is not None and variant.role != "control":
            names.setdefault(found.settling, []).append(variant.name)
    items = [f"{', '.join(who)}: {sentence}" for sentence, who in names.items()]
    return Section("What would settle the open cases", (Bullets(items),) if items else ())


def main_table(comparison: Comparison) -> Section:
    """The table that is cited."""
    heads, rows = filled(main_columns(comparison), comparison.variants)
    align = "".join("l" if head in ("variant", "verdict") else "r" for head in heads)
    return Section("Results", (Grid(heads, rows, align), caption(comparison, heads)))


def seeds(comparison: Comparison) -> Section:
    """Each seed's difference, variant minus baseline: pairs side by side."""
    judged = comparison.judged()
    numbers = sorted({seed for _, found in judged for seed in found.seeds})
    if not numbers:
        return Section("Differences seed by seed", ())
    rows = []
    for variant, found in judged:
        known = dict(zip(found.seeds, found.differences, strict=True))
        rows.append([variant.name, *(signed(known.get(seed)) for seed in numbers)])
        rows[-1].append(signed(found.difference))
    heads = ["variant", *(f"seed {seed}" for seed in numbers), "mean"]
    text = f"AP points, variant minus {comparison.baseline} of the same seed."
    return Section("Differences seed by seed", (text, Grid(heads, rows)))


def marked(variant: Variant) -> str:
    """What stands before a control's sentence."""
    return "Control: " if variant.role == "control" else ""


def scale(comparison: Comparison) -> str:
    """What the numbers are measured in, and on."""
    images = "" if comparison.val_images is None else f", on {comparison.val_images} test images"
    trained = any(each.parameters is not None for each in comparison.variants)
    last = ", of each run's last checkpoint" if trained else ""  # else detections from elsewhere
    text = f"AP is AP50:95 in points (0-100){images}{last}."
    if comparison.groups is not None:
        text += f" Drawn again and again are not single images but {comparison.groups}."
    return text


def caption(comparison: Comparison, heads: Sequence[str]) -> str:
    """What those columns of the main table mean that are not clear by their heads."""
    share = confidence(comparison)
    at = "" if comparison.test_size is None else f" at {'x'.join(map(str, comparison.test_size))},"
    meanings = {
        "AP": "mean ± standard deviation over the runs, in points (0-100)",
        "diff": f"mean over the paired seeds, variant minus {comparison.baseline}",
        f"{share} interval": "of diff, over seeds and test images",
        "Holm p": "in brackets a control's, unadjusted",
        "seeds won": f"with the exact {share} interval of the chance to win one",
        "GFLOPs": f"of an image{at} 2 a multiply-add",
        "latency (ms)": "median (10th to 90th percentile) of an image",
    }
    return "; ".join(f"{head}: {meanings[head]}" for head in heads if head in meanings) + "."


def interim(comparison: Comparison) -> str:
    """What stands over the verdicts of a study that is not finished."""
    runs = (
        "1 planned run is" if comparison.pending == 1 else f"{comparison.pending} planned runs are"
    )
    return (
        f"INTERIM: {runs} still to come. This is not the study's result: whoever looks now and "
        "stops when the word pleases is wrong more often than alpha says."
    )


def _warnings(comparison: Comparison) -> list[Part]:
    warnings: list[Part] = []
    if comparison.pending:
        warnings.append(interim(comparison))
    if comparison.dropped:
        runs = "1 run is" if len(comparison.dropped) == 1 else f"{len(comparison.dropped)} runs are"
        warnings.append(f"{runs} missing from these numbers, see below.")
    if comparison.plan is None:
        warnings.append("No plan was made before these runs: read the p values as exploratory.")
    return warnings
