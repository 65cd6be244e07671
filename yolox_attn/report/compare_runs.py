"""Runs judged in one call, for programs: the comparison that the `compare` command prints."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loguru import logger

from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.report.build import build_comparison
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.judge_runs import JudgingRequest, judge_runs
from yolox_attn.report.load_runs import Run
from yolox_attn.report.select_runs import select_runs
from yolox_attn.stats.terms import Terms


def compare(
    runs: Sequence[Run],
    *,
    baseline: str | None = None,
    truth: str | Path | None = None,
    groups: str | None = None,
    terms: Terms | None = None,
) -> Comparison:
    """Return `runs` judged: each variant against the baseline; models are not timed.

    The numbers are those of the `compare` command. How far it is goes to the log.

    Args:
        runs: from `load_runs`, or some of them, which then must fit together.
        baseline: the variant to subtract; None: the one without attention.
        truth: COCO annotations of the test images; None: those that the runs name.
        groups: key of the truth's image entries, or a path that ends in .csv, of images that
            belong together.
        terms: smallest effect worth having, alpha, resamples; None: 0.5 AP, 5 %, 2000.

    Raises:
        InputError: no run, no such baseline, runs that cannot be compared, or a truth that is not
            the one that judged them.
    """
    if not runs:
        raise InputError("nothing to compare: no runs")
    request = JudgingRequest(
        terms=terms or Terms(),
        truth=None if truth is None else expanded(truth),
        groups=groups,
    )
    selected, dropped = select_runs(runs, baseline)
    comparison = build_comparison(selected, baseline=baseline)
    comparison = replace(comparison, dropped=tuple(dropped))
    return judge_runs(comparison, selected, request, logger.info)
