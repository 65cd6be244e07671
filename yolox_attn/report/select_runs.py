"""Which of the runs at some paths are compared: those named must fit, of a folder those that do."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from yolox_attn.console import called_as, shortlist
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import Dropped
from yolox_attn.report.load_runs import (
    Run,
    attention_in_words,
    by_variant,
    fault_of,
    find_runs,
    refuse_repeats,
    run_folders,
)
from yolox_attn.runs import RECORD_NAME, read_record
from yolox_attn.runs.protocol import comparable

PLAN_NAME = "plan.json"  # of a study, which has a report of its own


def select_runs(
    paths: Sequence[Path], baseline: str | None = None
) -> tuple[list[Run], list[Dropped]]:
    """Return the runs at `paths` that are compared, and those that are missing from them.

    A path is a run's folder, or a folder with runs one or two levels down (a variant's seeds, all
    variants of a study, YOLOX_outputs). Runs named by themselves must fit together. Those found in
    a folder leave if they have not ended well, or follow another protocol: than those named, else
    than the one group that holds a baseline and variants.

    Args:
        paths: in the order in which they are to be shown.
        baseline: the variant to subtract; None: the one without attention.

    Raises:
        InputError: a path without runs, or a study; a named run that does not fit; one variant and
            seed twice; or groups of runs of which none, or several, can be compared.
    """
    for path in paths:
        if (path / RECORD_NAME).is_file() and (seeds := sorted(path.glob(f"seed*/{RECORD_NAME}"))):
            inside = ", ".join(each.parent.name for each in seeds)
            raise InputError(
                f"{path} is a run without a seed of its own, and has runs in it ({inside}): name "
                f"those alone, {path}/seed*, or move one of the two elsewhere"
            )
    named = find_runs(path for path in paths if not _is_collection(path))
    runs, dropped = list(named), list[Dropped]()
    seen = {run.folder.resolve() for run in named}
    for path in filter(_is_collection, paths):
        new = [each for each in _folders_in(path) if each.resolve() not in seen]
        seen |= {each.resolve() for each in new}
        found, unfit = _read(new)
        runs += found
        dropped += unfit
    if not runs:
        raise InputError(_nothing_left(paths, dropped))
    groups = _by_protocol(runs)
    kept = groups[0]
    if len(groups) > 1:
        kept = _group_of(named, groups) if named else _comparable_group(groups, baseline)
    refuse_repeats(kept)
    for run in runs:
        if run not in kept:
            why = f"another protocol: {comparable(kept[0].record, run.record)}"
            dropped.append(Dropped(run.name, run.record.seed, why))
    return [run for run in runs if run in kept], dropped


def _is_collection(path: Path) -> bool:
    return path.is_dir() and not (path / RECORD_NAME).is_file()


def _folders_in(path: Path) -> list[Path]:
    if (path / PLAN_NAME).is_file():
        raise InputError(
            f"{path} is a study: `{called_as('study')} report {path}` judges it by its plan; its "
            f"runs alone are in {path / 'runs'}"
        )
    return run_folders(path)


def _read(folders: Iterable[Path]) -> tuple[list[Run], list[Dropped]]:
    """Return the runs that can be compared, and those that cannot, with the reason."""
    runs: list[Run] = []
    dropped: list[Dropped] = []
    for folder in folders:
        try:
            run = Run(folder, read_record(folder))
        except InputError as error:
            dropped.append(Dropped(str(folder), None, str(error)))
            continue
        if fault := fault_of(run):
            dropped.append(Dropped(run.name, run.record.seed, fault))
        else:
            runs.append(run)
    return runs, dropped


def _nothing_left(paths: Iterable[Path], dropped: Sequence[Dropped]) -> str:
    reasons = shortlist((each.why for each in dropped), 2)
    return f"no run to compare in {', '.join(map(str, paths))}: {reasons}"


def _by_protocol(runs: Sequence[Run]) -> list[list[Run]]:
    """Return the runs in groups whose members can be compared with each other."""
    groups: list[list[Run]] = []
    for run in runs:
        fitting = (each for each in groups if not comparable(each[0].record, run.record))
        group = next(fitting, None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return groups


def _group_of(named: Sequence[Run], groups: Sequence[list[Run]]) -> list[Run]:
    """Return the group of the runs that were named.

    Raises:
        InputError: they are of several.
    """
    group = next(each for each in groups if named[0] in each)
    for run in named:
        if run not in group:
            differing = comparable(named[0].record, run.record)
            raise InputError(f"{named[0].folder} and {run.folder} cannot be compared: {differing}")
    return group


def _comparable_group(groups: Sequence[list[Run]], baseline: str | None) -> list[Run]:
    """Return the one group that has a baseline and something to compare with it.

    Raises:
        InputError: there is none, or several; all groups are listed with what sets them apart.
    """
    whole = [group for group in groups if _is_whole(group, baseline)]
    if len(whole) == 1:
        return whole[0]
    first = groups[0][0].record
    parts = [_in_words(groups[0])]
    parts += [f"{_in_words(each)} ({comparable(first, each[0].record)})" for each in groups[1:]]
    numbered = "; ".join(f"{number}. {text}" for number, text in enumerate(parts, start=1))
    raise InputError(
        f"these runs cannot be compared with each other, they follow {len(groups)} protocols: "
        f"{numbered}. Name the folders of one"
    )


def _is_whole(group: Sequence[Run], baseline: str | None) -> bool:
    names = {run.name for run in group}
    plain = {run.name for run in group if attention_in_words(run.record) == "none"}
    return len(names) > 1 and (baseline in names if baseline else bool(plain))


def _in_words(group: Sequence[Run]) -> str:
    """Return "yolox_s seeds 0, 1; yolox_s_cam seed 0"."""
    words = []
    for name, runs in by_variant(group).items():
        seeds = [str(run.record.seed) for run in runs]
        words.append(f"{name} {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}")
    return " and ".join(words)
