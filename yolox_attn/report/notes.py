"""What must stand below the table for its numbers to be read right."""

from collections.abc import Callable, Mapping, Sequence

from yolox_attn.report.format import size
from yolox_attn.report.load_runs import Run
from yolox_attn.runs import RunRecord, read_metrics
from yolox_attn.runs.remarks import curve_of, drop_in_words, rise_in_words, warmup_in_words
from yolox_attn.stats.judge import fraction
from yolox_attn.stats.measured import Measured
from yolox_attn.stats.noise import outliers
from yolox_attn.stats.verdict import PRIMARY

Variants = Mapping[str, Sequence[Run]]
Fact = Callable[[RunRecord], object]
FACTS: dict[str, Fact] = {
    "training device": lambda record: record.device,
    "processor": lambda record: record.cpu,
    "images of one forward pass": lambda record: record.batch_size // record.processes,
    "number of threads": lambda record: record.threads,
    "memory format": lambda record: record.memory_format,
}


def make_notes(variants: Variants) -> tuple[str, ...]:
    """Return the sentences; `variants` begins with the baseline."""
    baseline, *others = variants.values()
    runs = [run for group in variants.values() for run in group]
    packages = sorted({package for run in runs for package in run.record.versions})
    facts = FACTS | {f"{package} version": _version(package) for package in packages}
    notes = [_single_runs(variants), *(_pairing(each, baseline) for each in others)]
    notes += [_said_of_runs(runs), _warmup(runs), _continued(runs)]
    notes += [_mixed(variants, what, fact) for what, fact in facts.items()]
    return tuple(note for note in notes if note)


def unknown_category_notes(measured: Mapping[str, Mapping[int, Measured]]) -> list[str]:
    """Say how many detections of each side were left out: the truth does not list their class."""
    counts = {
        name: sum(run.unknown_categories for run in runs.values())
        for name, runs in measured.items()
    }
    return [
        f"{name}: {count} detections of classes that the truth does not list are left out."
        for name, count in counts.items()
        if count
    ]


def outlier_notes(measured: Mapping[str, Mapping[int, Measured]]) -> list[str]:
    """Name the outliers among the seeds of each side."""
    points = {
        name: {seed: run.metrics[PRIMARY] for seed, run in runs.items()}
        for name, runs in measured.items()
    }
    return [
        f"{name} seed {seed} is an outlier, {size(fraction(abs(far)))} AP"
        f" {'above' if far > 0 else 'below'} the median of its seeds (over 6 scaled MAD): look at"
        " its training. It stays in: its result may not decide that."
        for name, seed, far in outliers(points)
    ]


def _version(package: str) -> Fact:
    return lambda record: str(record.versions.get(package))


def _single_runs(variants: Variants) -> str | None:
    single = [name for name, runs in variants.items() if len(runs) == 1]
    if not single:
        return None
    who = "" if len(single) == len(variants) else f"Only one run of {', '.join(single)}. "
    return (
        f"{who}One run a side measures a checkpoint and not a block: another seed may turn the "
        "difference around. Train more seeds (--seed 1, --seed 2 ...)."
    )


def _pairing(runs: Sequence[Run], baseline: Sequence[Run]) -> str | None:
    """Say over which seeds the difference is taken, unless it is over all runs of both."""
    ours, theirs = ([run.record.seed for run in group] for group in (runs, baseline))
    common = [str(seed) for seed in ours if seed is not None and seed in theirs]
    if len(common) == len(ours) == len(theirs):
        return None
    name = f"{runs[0].name} - {baseline[0].name}"
    if not common:
        return f"{name}: no seed in common, so the difference is one of means and unpaired."
    return f"{name}: the difference is over the seeds that both have: {', '.join(common)}."


def _said_of_runs(runs: Sequence[Run]) -> str | None:
    """Name the runs that a longer or gentler schedule would have changed."""
    said = []
    for run in runs:
        record = run.record
        rise = rise_in_words(curve_of(read_metrics(run.folder)))
        loss = drop_in_words(record.metrics.get("AP"), record.pretrained)
        said += [f"{run.title} {remark}" for remark in (rise, loss) if remark]
    if not said:
        return None
    return f"Cut short, or spoiled: {'; '.join(said)}. Another schedule may order them otherwise."


def _warmup(runs: Sequence[Run]) -> str | None:
    remark = warmup_in_words(runs[0].record.config)
    return f"{remark[0].upper()}{remark[1:]}." if remark else None


def _continued(runs: Sequence[Run]) -> str | None:
    """Name the runs whose numbers a stop has changed."""
    changed = [
        run.title for run in runs if not all(each.get("exact") for each in run.record.resumed)
    ]
    if not changed:
        return None
    return (
        f"Stopped and continued, but not exactly: {', '.join(changed)}; without the stop the "
        "numbers would be others, as with another seed."
    )


def _mixed(variants: Variants, what: str, fact: Fact) -> str | None:
    """Say which runs have which value, if they do not all have the same."""
    groups: dict[object, list[str]] = {}
    for name, runs in variants.items():
        values = [fact(run.record) for run in runs]
        alike = len(set(values)) == 1
        for value, run in zip(values[:1] if alike else values, runs, strict=False):
            groups.setdefault(value, []).append(name if alike else run.title)
    if len(groups) < 2:
        return None
    parts = [f"{value} ({', '.join(who)})" for value, who in groups.items()]
    return f"The runs differ in {what}: {'; '.join(parts)}."
