"""An experiment as a run had it: its Exp file, then every setting that run.json holds."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from yolox_attn.core.describe import describe_config
from yolox_attn.core.sources import changed_sources
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.loader import exp_from_file, load_exp
from yolox_attn.exp.overrides import known_settings
from yolox_attn.runs import RunRecord, file_hash
from yolox_attn.runs.protocol import COSMETIC, differences, listed

# Where things go, and how this machine loads and logs; what is evaluated is not among them.
OF_THE_PLACE = COSMETIC - {"seed", "train_ann", "val_ann", "test_ann", "test_name"}


def exp_of(record: RunRecord) -> AttentionExp:
    """Return a fresh experiment of the record's Exp file, which is run, or of its name.

    Raises:
        InputError: the file is gone or is not the one that the run was made with, or fails.
    """
    if record.exp_file is None:
        if record.exp_name_arg is None:
            raise InputError("the run's record names no Exp file")
        return load_exp(name=record.exp_name_arg)
    path = Path(record.exp_file)
    if not path.is_file():
        raise InputError(f"the run's Exp file {path} is gone")
    if record.exp_sha256 is None:
        raise InputError(f"the run's record has no sha256 of its Exp file {path}")
    if changed := changed_sources(record.sources):
        raise InputError(f"{changed[0]}, which the run's Exp file imports, has changed since")
    return exp_from_file(path, sha256=record.exp_sha256)


def same_experiment(record: RunRecord, exp_file: str | None, name: str | None) -> bool:
    """Tell whether -f or -n names the run's experiment: by its place, its content or its name."""
    if exp_file is None or record.exp_file is None:
        return exp_file is None and name is not None and name == record.exp_name_arg
    here = Path(exp_file)
    return here.resolve() == Path(record.exp_file) or file_hash(here) == record.exp_sha256


def restore(exp: AttentionExp, record: RunRecord, keep: Collection[str] = ()) -> list[str]:
    """Give `exp` the settings of the run, but for those in `keep`; return what that changed.

    Returns:
        "test_size (416, 416) -> (320, 320)" for each setting that now is another; and that the
        run's data are gone, where they are: the Exp's own are left then.

    Raises:
        InputError: the run had an object that run.json can only name, and `exp` has another.
    """
    before, notes = describe_config(exp), []
    folder = record.data.get("dir") or record.config.get("data_dir")
    if "data_dir" not in keep and folder is not None:
        if Path(folder).is_dir():
            exp.data_dir = str(folder)
        else:
            notes.append(f"the run's data folder {folder} is gone")
    known = known_settings(exp)
    for key, recorded in record.config.items():
        if key not in known or key in OF_THE_PLACE or key in keep or before.get(key) == recorded:
            continue
        now = getattr(exp, key, None)
        if not _can_be_set(key, recorded, now):
            raise InputError(
                f"{key} was {recorded} in the run and is {before.get(key)} here; an object "
                "cannot be made from run.json: give the run's own Exp file by -f"
            )
        setattr(exp, key, recorded if isinstance(now, list) else _with_tuples(recorded))
    shown = ({k: v for k, v in each.items() if k not in OF_THE_PLACE - {"data_dir"}}
             for each in (before, describe_config(exp)))  # fmt: skip
    return [*listed(differences(*shown), "{key} {first} -> {second}"), *notes]


def _can_be_set(key: str, recorded: Any, now: Any) -> bool:
    """Tell whether what JSON holds is the value, and not only the names of objects in it."""
    if key == "attention":
        names = recorded.values() if isinstance(recorded, dict) else [recorded]
        return not any(":" in str(name) for name in names)
    return _is_plain(now)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _with_tuples(value: Any) -> Any:
    """Return `value` with tuples for lists, as sizes and ranges are in YOLOX."""
    if isinstance(value, dict):
        return {key: _with_tuples(each) for key, each in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
