"""Studies of one block on several data sets, pooled from their comparison.json alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from yolox_attn.console import count, shortlist
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.format import Bullets, Cell, Grid, Section, signed, size, span
from yolox_attn.report.output import find_comparison, read_comparison
from yolox_attn.report.text import to_markdown
from yolox_attn.runs import write_text
from yolox_attn.runs.codec import to_json
from yolox_attn.stats.pooling import Pooled, pool
from yolox_attn.stats.verdict import Judgement

SCHEMA = 1


@dataclass(frozen=True)
class Result:
    """One block on one data set, fractions.

    Args:
        study: what it is called here; truth: sha256 of the annotations that judged.
        seeds: pairs behind it.
        error: standard error of seeds and images together.
        interval, word: as the study's own report has them.
    """

    study: str
    truth: str
    seeds: int
    difference: float
    error: float
    interval: tuple[float, float] | None
    word: str


@dataclass(frozen=True)
class Merged:
    """One block on several data sets.

    Args:
        block: in words; name: of its variants in the studies.
        results: one a data set, in the order of the studies.
        pooled: of all of them; None of a single one.
        left_out: what was on a data set that counts already, or cannot be pooled: a line each.
    """

    name: str
    block: str
    results: tuple[Result, ...]
    pooled: Pooled | None
    left_out: tuple[str, ...] = ()


def read_studies(paths: Sequence[Path]) -> dict[str, Comparison]:
    """Return name -> comparison of studies, folders of reports, or comparison.json files.

    Raises:
        InputError: a path without a comparison, one that cannot be read, or two of one name.
    """
    found: dict[str, Comparison] = {}
    for path in paths:
        if (file := find_comparison(path)) is None:
            raise InputError(f"{path}: no comparison.json there; `study report` writes it")
        folder = file.resolve().parent
        name = (folder.parent if folder.name == "report" else folder).name
        if name in found:
            raise InputError(f"{path}: there is another study called {name}; rename its folder")
        found[name] = read_comparison(file)
    return found


def merge(studies: Mapping[str, Comparison]) -> list[Merged]:
    """Pool what several studies say of each block that they share.

    A block is its name in the zoo, options, places and start, whatever its variant is called. A
    data set counts once: of two studies on one the one with more seeds, then the earlier plan.

    Raises:
        InputError: two variants of one name are different blocks, or no block is in two studies.
    """
    _refuse_other_blocks(studies)
    blocks: dict[tuple[object, ...], list[tuple[str, Variant]]] = {}
    for study, comparison in studies.items():
        for variant, _ in comparison.judged():
            if variant.built:
                blocks.setdefault(identity(variant), []).append((study, variant))
    merged = [_merged(found, studies) for found in blocks.values()]
    if not any(each.pooled for each in merged):
        raise InputError(
            "no block was judged on two data sets: variants are pooled that have the same block, "
            "options, places and start"
        )
    return merged


def identity(variant: Variant) -> tuple[object, ...]:
    """Return what makes a variant the same block: in words, then level by level."""
    levels = [
        (each.level, each.block, tuple(sorted(each.options.items()))) for each in variant.built
    ]
    return (variant.attention, *levels)


def sections(merged: Sequence[Merged]) -> list[Section]:
    """Return the report: a table of all blocks on all data sets, then each block by itself."""
    studies = list(dict.fromkeys(result.study for each in merged for result in each.results))
    rows = []
    for each in merged:
        known = {result.study: signed(result.difference) for result in each.results}
        rows.append([each.name, *(known.get(study, "") for study in studies), *_pooled_cells(each)])
    heads = ["block", *studies, "mean", "95 % interval"]
    note = (
        "AP points, variant minus baseline. Mean: unweighted, with its t interval over data sets."
    )
    parts: list[Section] = [Section("Blocks on data sets", (Grid(heads, rows), note))]
    return parts + [_section(each) for each in merged if each.pooled]


def write_merged(folder: Path, merged: Sequence[Merged]) -> list[Path]:
    """Write merged.md, merged.json and figures/forest_N.svg; return their paths."""
    from yolox_attn.report.figures.forest import draw_forests  # matplotlib is needed here alone

    texts = {
        "merged.md": to_markdown("Studies pooled", sections(merged)),
        "merged.json": to_json({"schema": SCHEMA, "blocks": [asdict(each) for each in merged]}),
        **{f"figures/{name}.svg": text for name, text in draw_forests(merged).items()},
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def _refuse_other_blocks(studies: Mapping[str, Comparison]) -> None:
    named: dict[str, tuple[str, Variant]] = {}
    for study, comparison in studies.items():
        for variant in comparison.variants[1:]:
            other, first = named.setdefault(variant.name, (study, variant))
            if variant.built and first.built and identity(variant) != identity(first):
                differing = _differing(first, variant)
                raise InputError(
                    f"{variant.name} is another block in {study} than in {other}: {differing}"
                )


def _differing(first: Variant, second: Variant) -> str:
    ours, theirs = identity(first), identity(second)
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if a != b]
    a, b = pairs[0] if pairs else (f"{len(ours) - 1} levels", f"{len(theirs) - 1} levels")
    return f"{_words(a)} there, {_words(b)} here"


def _words(part: object) -> str:
    if not isinstance(part, tuple):
        return str(part)
    level, block, options = part
    return f"{block} on {level} ({', '.join(f'{k} {v}' for k, v in options) or 'its defaults'})"


def _merged(found: Sequence[tuple[str, Variant]], studies: Mapping[str, Comparison]) -> Merged:
    chosen: dict[str, Result] = {}
    left_out = []
    for study, variant in sorted(found, key=lambda each: _rank(each, studies)):
        judgement = variant.judgement
        assert judgement is not None  # only judged ones are listed
        truth = str(studies[study].data.get("truth_sha256", study))
        if judgement.seed_error is None or not (error := _error(judgement)):
            left_out.append(f"{study}: one seed, or no noise at all, has no error to be pooled by")
        elif truth in chosen:
            left_out.append(f"{study}: its data set counts already, by {chosen[truth].study}")
        else:
            chosen[truth] = Result(
                study, truth, len(judgement.seeds), judgement.difference, error,
                judgement.interval, judgement.word,
            )  # fmt: skip
    order = list(studies)
    results = tuple(sorted(chosen.values(), key=lambda each: order.index(each.study)))
    pooled = None
    if len(results) > 1:
        pooled = pool([each.difference for each in results], [each.error for each in results])
    names = dict.fromkeys(variant.name for _, variant in found)
    return Merged(" / ".join(names), found[0][1].attention, results, pooled, tuple(left_out))


def _rank(found: tuple[str, Variant], studies: Mapping[str, Comparison]) -> tuple[int, str]:
    """Order studies of one data set: more seeds first, then the earlier plan, then unplanned."""
    study, variant = found
    plan = studies[study].plan
    seeds = len(variant.judgement.seeds) if variant.judgement else 0
    return -seeds, plan.created if plan else "~"


def _error(judgement: Judgement) -> float:
    return float(((judgement.seed_error or 0.0) ** 2 + judgement.image_error**2) ** 0.5)


def _pooled_cells(merged: Merged) -> list[str]:
    pooled = merged.pooled
    return ["", ""] if pooled is None else [signed(pooled.effect), span(pooled.interval)]


def _section(merged: Merged) -> Section:
    pooled = merged.pooled
    assert pooled is not None
    rows = []
    for each in merged.results:
        seeds = Cell(str(each.seeds), each.seeds)
        row = [each.study, seeds, signed(each.difference), span(each.interval), each.word]
        rows.append(row)
    tau = size(pooled.heterogeneity)
    items = [
        f"On {count(len(rows), 'data set')} its mean effect is {signed(pooled.effect)} AP (95 % "
        f"interval {span(pooled.interval)}).",
        f"Heterogeneity: the true effect varies between such data sets by {tau} AP (SD, tau).",
    ]
    if pooled.prediction is not None:
        items.append(f"95 % prediction interval of another such study: {span(pooled.prediction)}.")
    items.append(
        f"Weighted by precision: {signed(pooled.weighted)} ({span(pooled.weighted_interval)}); "
        "beside the mean, as weights from few seeds claim too often."
    )
    if merged.left_out:
        items.append(f"Left out: {shortlist(merged.left_out)}.")
    heads = ["data set", "seeds", "diff", "its own interval", "its verdict"]
    return Section(f"{merged.name}: {merged.block}", (Grid(heads, rows), Bullets(items)))
