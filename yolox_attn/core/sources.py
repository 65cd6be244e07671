"""The user's own code that an experiment was loaded from, besides its Exp file."""

import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import yolox_attn
from yolox_attn.runs import file_hash
from yolox_attn.runs.record import EXP_MODULE

STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
PLACES = (sys.prefix, sys.base_prefix, *STANDARD)
INSTALLED = {"site-packages", "dist-packages"}  # also those of a user, outside the prefix


def user_sources() -> dict[str, str]:
    """Return path -> sha256 of every file that a module was loaded from and nobody installed.

    To be called when all Exps of a study were built. Neither the program itself, nor Exp files, nor
    the files of this package are among them.
    """
    homes = [Path(each).resolve() for each in (*PLACES, Path(yolox_attn.__file__).parent)]
    own = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")  # some answer any getattr
        is_program = module is sys.modules["__main__"]  # multiprocessing has another name for it
        if not isinstance(file, str) or is_program or name.startswith(EXP_MODULE):
            continue
        path = Path(file)
        if not (path.is_absolute() and INSTALLED.isdisjoint(path.parts) and path.is_file()):
            continue  # some name a file that never was
        whole = path.resolve()
        if not any(whole.is_relative_to(home) for home in homes):
            own.add(whole)
    return {str(path): file_hash(path) for path in sorted(own)}


def sources_beside(exp_file: Path | None) -> dict[str, str]:
    """Return path -> sha256 of what was loaded from the folder of an Exp file, or from below it.

    To be called when the Exp was loaded; the Exp file itself is not among them.
    """
    if exp_file is None:
        return {}
    here = exp_file.resolve().parent
    return {path: value for path, value in user_sources().items() if here in Path(path).parents}


def changed_sources(recorded: Mapping[str, str]) -> list[str]:
    """Return those of the recorded files that are gone or have another content."""
    return [
        path
        for path, sha256 in recorded.items()
        if not Path(path).is_file() or file_hash(Path(path)) != sha256
    ]
