"""Attributes of an Exp file that nothing reads: a misspelt setting trains the baseline."""

import ast
import functools
import inspect
import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from loguru import logger
from yolox.core import Trainer
from yolox.exp import Exp

from yolox_attn.core.describe import plain as describe
from yolox_attn.core.launch import LAUNCHER
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.demo import DemoExp
from yolox_attn.exp.overrides import TYPES

CLOSE = 0.8  # of difflib's ratio: attentoin, max_epochs, num_class; not data_root
LIBRARIES = ("yolox", "yolox_attn", "builtins")


def check_attributes(exp: AttentionExp, file: Path) -> None:
    """Refuse attributes that do nothing and nearly have the name of a setting; warn of others.

    Looked at is what the user's own classes set; what their source reads has a meaning there.

    Raises:
        InputError: a misspelt setting, or one in a class body, where `__init__` sets it anew.
    """
    own = [kind for kind in type(exp).__mro__ if kind.__module__.split(".")[0] not in LIBRARIES]
    settings = set(vars(AttentionExp())) | TYPES.keys()
    in_bodies = _class_attributes(own)
    for key, value in in_bodies.items():
        if key in TYPES and key not in vars(exp):
            raise InputError(
                f"{file}: {key} in the body of class Exp would not be recorded; write "
                f"self.{key} = ... in __init__, after its super()"
            )
        if key in settings and describe(vars(exp).get(key)) != describe(value):
            raise InputError(
                f"{file}: {key} = {value!r} in the body of class Exp does nothing: __init__ sets "
                f"it to {vars(exp).get(key)!r}; write self.{key} = ... there, after its super()"
            )
    given = [key for key in {**vars(exp), **in_bodies} if not key.startswith("_")]
    unknown = [key for key in given if key not in settings and not hasattr(Exp, key)]
    if not unknown:
        return
    modules = {kind.__module__ for kind in (*own, Exp, AttentionExp, DemoExp, Trainer)}
    read = set().union(*map(_names_in, modules | _neighbours(file)))
    for key in unknown:
        if key in read:
            continue
        if close := get_close_matches(key, settings, n=1, cutoff=CLOSE):
            raise InputError(f"{file}: self.{key} is no setting: did you mean {close[0]}?")
        _warn(f"{file}: nothing reads self.{key}; if it is to be a setting, read it in the class")


def _class_attributes(kinds: Iterable[type]) -> dict[str, Any]:
    """Return what the classes' bodies assign: neither methods nor names of Python's own."""
    return {
        key: value
        for kind in reversed([*kinds])
        for key, value in vars(kind).items()
        if not key.startswith("_") and not callable(value) and not hasattr(value, "__get__")
    }


def _neighbours(file: Path) -> set[str]:
    """Return the loaded modules that lie beside the Exp file: what it imports may read it."""
    here = str(file.resolve().parent)
    return {
        name
        for name, module in [*sys.modules.items()]
        if (source := getattr(module, "__file__", None)) and Path(source).parent == Path(here)
    }


def _names_in(module: str) -> frozenset[str]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError, KeyError):  # typed into an interpreter
        return frozenset()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # getattr(self, "name")
    return frozenset(names)


@functools.cache
def _warn(line: str) -> None:
    rank = os.environ.get("RANK")
    if rank is None or (rank == "0" and LAUNCHER not in os.environ):  # ours has said it itself
        logger.warning(line)
