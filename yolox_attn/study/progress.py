"""What is told while a study runs: where it is, and how long the rest will take."""

from collections.abc import Sequence

from yolox_attn.errors import InputError
from yolox_attn.runs import RunRecord
from yolox_attn.study.forecast import duration, wall_time
from yolox_attn.study.jobs import FAULTY, Job, reason_of, record_of, state_of
from yolox_attn.study.plan import Plan
from yolox_attn.study.status import cell

ENDED = ("finished", *FAULTY)


def start_line(job: Job, work: str, *, resumed: bool) -> str:
    """Say what a process was started for just now."""
    if work == "evaluate":
        return f"{job.title} is evaluated on test"
    record = _record(job)
    if resumed and record is not None:
        return f"{job.title} goes on after epoch {record.epoch}"
    return f"{job.title} starts"


def end_line(plan: Plan, job: Job, every: Sequence[Job], slots: int) -> str:
    """Say how a run ended, how many are left, and how long they will take.

    Args:
        plan: of the study.
        job: the run.
        every: all runs of the study.
        slots: runs at a time.
    """
    states = {each.key: state_of(each) for each in every}
    left = [each for each in every if states[each.key] not in ENDED]
    words = f"[{len(every) - len(left)}/{len(every)}] {job.title} {_ending(job, states[job.key])}"
    if not left:
        return words
    done = [each for each in every if states[each.key] in ENDED]
    seconds = seconds_left(plan, left, done, slots)
    return f"{words}; {len(left)} to go" + (
        "" if seconds is None else f", about {duration(seconds)} left"
    )


def _ending(job: Job, state: str) -> str:
    """Return "finished: AP 41.2, 92 seconds", "failed: reason", "killed after 3 of 10 epochs"."""
    record = _record(job)
    if state in FAULTY:
        return f"{state}: {reason_of(job)}"
    if state == "finished" and record is not None:
        return f"finished: {cell(job, state)}, {duration(record.seconds)}"
    return cell(job, state)


def seconds_left(plan: Plan, left: Sequence[Job], done: Sequence[Job], slots: int) -> float | None:
    """Return the wall time until the runs in `left` are done, `slots` at a time.

    A run takes what an epoch of its variant took in this study; where none is known yet, what the
    probe said, else what an epoch of the other variants took. None where nothing is known at all.

    Args:
        plan: of the study.
        left: runs that are unfinished, those that go on just now among them.
        done: all others.
        slots: runs at a time.
    """
    records = {job.key: _record(job) for job in (*left, *done)}
    known = [each for each in records.values() if each is not None and each.epoch > 0]
    seconds = []
    for job in left:
        whole = _whole_run(plan, job.variant.name, known)
        if whole is None:
            return None
        record = records[job.key]
        seconds.append(whole * (1 - _share(record)))
    return wall_time(seconds, slots)


def _whole_run(plan: Plan, variant: str, known: Sequence[RunRecord]) -> float | None:
    """Return the seconds of a run of `variant` from its first epoch to its last."""
    own = [record for record in known if record.name == variant]
    probed = plan.expected.get("seconds_of_a_run", {}).get(variant)
    if not own and probed is not None:
        return float(probed)
    measured = own or known
    if not measured:
        return None
    an_epoch = sum(each.seconds for each in measured) / sum(each.epoch for each in measured)
    return an_epoch * float(measured[0].config.get("max_epoch", measured[0].epoch))


def _share(record: RunRecord | None) -> float:
    """Return how much of a run is done, by its epochs."""
    if record is None or record.state == "failed":  # which starts anew
        return 0.0
    epochs = int(record.config.get("max_epoch", record.epoch))
    return min(record.epoch / max(epochs, 1), 1.0)


def _record(job: Job) -> RunRecord | None:
    try:
        return record_of(job)
    except InputError:
        return None
