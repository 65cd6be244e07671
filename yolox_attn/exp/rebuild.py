"""An experiment as a run had it: its Exp file, then every setting that run.json holds."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from yolox_attn.core.describe import describe_config
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.loader import load_exp
from yolox_attn.runs import RunRecord, file_hash
from yolox_attn.runs.protocol import COSMETIC, differences, listed

# Of no run's numbers: where things go, and how this machine loads and logs.
OF_THE_PLACE = {
    *("output_dir", "data_num_workers", "print_interval", "eval_interval", "save_history_ckpt"),
    *("exp_name", "data_dir"),
}


def exp_of(record: RunRecord) -> AttentionExp:
    """Return a fresh experiment of the record's Exp file, which is run, or of its name.

    Raises:
        InputError: the file is gone or is not the one that the run was made with, or fails.
    """
    if record.exp_file is None:
        if record.exp_name_arg is None:
            raise InputError("the run's record names no experiment; give its Exp file by -f")
        return load_exp(name=record.exp_name_arg)
    path = Path(record.exp_file)
    if not path.is_file():
        raise InputError(f"the run's Exp file {path} is gone; give it by -f")
    if record.exp_sha256 is None:
        raise InputError(f"the run's record is older than its kind's sha256; give -f {path}")
    if file_hash(path) != record.exp_sha256:
        raise InputError(
            f"{path} has changed since the run was made; if it still is the run's experiment, "
            f"give it by -f {path}"
        )
    return load_exp(record.exp_file)


def restore(exp: AttentionExp, record: RunRecord, keep: Collection[str] = ()) -> list[str]:
    """Give `exp` the settings of the run, but for those in `keep`; return what that changed.

    Returns:
        "test_size (416, 416) -> (320, 320)" for each setting that now is another, without those
        that say where things lie.

    Raises:
        InputError: the run had an object that run.json can only name, and `exp` has another.
    """
    before = describe_config(exp)
    folder = record.data.get("dir") or record.config.get("data_dir")
    if "data_dir" not in keep and folder is not None:
        exp.data_dir = str(folder)
    for key, recorded in record.config.items():
        if key in OF_THE_PLACE or key in keep or before.get(key) == recorded:
            continue
        now = getattr(exp, key, None)
        if not _can_be_set(key, recorded, now):
            raise InputError(
                f"{key} was {recorded} in the run and is {before.get(key)} here; an object "
                "cannot be made from run.json: give the run's own Exp file by -f"
            )
        setattr(exp, key, recorded if isinstance(now, list) else _with_tuples(recorded))
    after = describe_config(exp)
    changed = differences(*({k: v for k, v in each.items() if k not in COSMETIC}
                            for each in (before, after)))  # fmt: skip
    return listed(changed, "{key} {first} -> {second}")


def _can_be_set(key: str, recorded: Any, now: Any) -> bool:
    """Tell whether what JSON holds is the value, and not only the name of an object."""
    if key == "attention":
        names = recorded.values() if isinstance(recorded, dict) else [recorded]
        return not any(":" in str(name) for name in names)
    return not isinstance(recorded, str) or now is None or isinstance(now, str)


def _with_tuples(value: Any) -> Any:
    """Return `value` with tuples for lists, as sizes and ranges are in YOLOX."""
    if isinstance(value, dict):
        return {key: _with_tuples(each) for key, each in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
