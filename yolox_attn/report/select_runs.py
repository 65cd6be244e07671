"""Which of the runs at some paths are compared: those named must fit, of a folder those that do."""

from collections.abc import Sequence

from yolox_attn.errors import InputError
from yolox_attn.report.comparison import Dropped
from yolox_attn.report.load_runs import (
    Run,
    Runs,
    attention_in_words,
    by_variant,
    refuse_repeats,
)
from yolox_attn.runs.protocol import comparable


def select_runs(
    loaded: Sequence[Run], baseline: str | None = None
) -> tuple[list[Run], list[Dropped]]:
    """Return the runs that are compared, and those that are missing from them.

    Runs named by themselves must fit together. Those found in a folder leave if they follow another
    protocol: than those named, else than the one group that holds a baseline and variants.

    Args:
        loaded: by `load_runs`; of any other sequence each run counts as named.
        baseline: the variant to subtract; None: the one without attention.

    Raises:
        InputError: a named run that does not fit; one variant and seed twice; or groups of runs of
            which none, or several, can be compared.
    """
    runs = loaded if isinstance(loaded, Runs) else Runs(tuple(loaded))
    groups = _by_protocol(runs)
    kept = groups[0]
    if len(groups) > 1:
        kept = _group_of(runs.named, groups) if runs.named else _comparable_group(groups, baseline)
    refuse_repeats(kept)
    dropped, folders = list(runs.left_out), {run.folder for run in kept}
    for run in runs:
        if run.folder not in folders:
            why = f"another protocol: {comparable(kept[0].record, run.record)}"
            dropped.append(Dropped(run.name, run.record.seed, why))
    return [run for run in runs if run.folder in folders], dropped


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
