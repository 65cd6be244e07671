"""The user's own code that a study runs: what its Exp files import, beside what is installed."""

import sys
import sysconfig
from pathlib import Path

import yolox_attn
from yolox_attn.core.checkpoint import file_hash

STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
PLACES = (sys.prefix, sys.base_prefix, *STANDARD)
INSTALLED = {"site-packages", "dist-packages"}  # also those of a user, outside the prefix
EXP_MODULE = "yolox_attn_exp_"  # as the loader names Exp files; a plan has the sha256 of its own


def user_sources() -> dict[str, str]:
    """Return path -> sha256 of every file that a module was loaded from and nobody installed.

    To be called when all Exps of a study were built. Neither the program itself, nor Exp files, nor
    the files of this package are among them.
    """
    homes = [Path(each).resolve() for each in (*PLACES, Path(yolox_attn.__file__).parent)]
    found = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")  # some answer any getattr
        is_program = module is sys.modules["__main__"]  # multiprocessing has another name for it
        if not isinstance(file, str) or is_program or name.startswith(EXP_MODULE):
            continue
        path = Path(file)
        if not path.is_absolute() or not path.is_file():  # some name a file that never was
            continue
        whole = path.resolve()
        if INSTALLED.isdisjoint(path.parts) and not any(whole.is_relative_to(h) for h in homes):
            found.add(whole)
    return {str(path): file_hash(path) for path in sorted(found)}
