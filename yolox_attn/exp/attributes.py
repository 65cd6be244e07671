"""What an Exp file sets and nothing reads: a misspelt setting trains the baseline."""

import ast
import functools
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from loguru import logger
from yolox.core import Trainer
from yolox.exp import Exp

from yolox_attn.core.describe import plain
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.demo import DemoExp
from yolox_attn.exp.overrides import TYPES
from yolox_attn.launched import LAUNCHER

CLOSE = 0.8  # of difflib's ratio: attentoin, max_epochs, num_class; not data_root
LIBRARIES = ("yolox", "yolox_attn", "builtins")
FLAGS = {  # attributes of other frameworks' experiments -> what they are here
    "batch_size": "-b sets it",
    "ckpt": "-c sets it",
    "device": "--device sets it",
    "fp16": "--fp16 sets it",
    "lr": "the setting is basic_lr_per_img",
    "resume": "--resume sets it",
}


def check_attributes(exp: AttentionExp, file: Path) -> None:
    """Refuse attributes that do nothing and nearly have the name of a setting; warn of others.

    Looked at is what the user's own classes set; what their source, or a module beside the Exp
    file, reads has a meaning there.

    Raises:
        InputError: a misspelt setting or method, or one that `__init__` sets anew: in a class body,
            or in front of `super().__init__()`.
    """
    own = [kind for kind in type(exp).__mro__ if kind.__module__.split(".")[0] not in LIBRARIES]
    settings = set(vars(AttentionExp())) | TYPES.keys()
    in_bodies = _class_attributes(own, settings)
    _refuse_reset(exp, file, {key: in_bodies[key] for key in in_bodies.keys() & settings})
    _refuse_early(own, settings, file)
    _look_for_readers({**vars(exp), **in_bodies}, settings, own, file)
    methods = {
        name for kind in own for name, each in vars(kind).items() if inspect.isfunction(each)
    }
    known = {name for name in dir(AttentionExp) if callable(getattr(AttentionExp, name))}
    _look_for_readers(methods - known, known, own, file)


def _refuse_reset(exp: AttentionExp, file: Path, in_bodies: dict[str, Any]) -> None:
    for key, value in in_bodies.items():
        if key in TYPES and key not in vars(exp):
            raise InputError(
                f"{file}: {key} in the body of class Exp would not be recorded; write "
                f"self.{key} = ... in __init__, after its super()"
            )
        if plain(vars(exp).get(key)) != plain(value):
            raise InputError(
                f"{file}: {key} = {plain(value)!r} in the body of class Exp does nothing: __init__ "
                f"sets it to {vars(exp).get(key)!r}; write self.{key} = ... there, behind super()"
            )


def _refuse_early(own: Iterable[type], settings: Collection[str], file: Path) -> None:
    for kind in own:
        for key in _set_before_super(kind):
            if key in settings:
                raise InputError(
                    f"{file}: self.{key} is set in front of super().__init__(), which sets it anew;"
                    " set it after"
                )


def _look_for_readers(
    given: Iterable[str], known: Collection[str], own: Iterable[type], file: Path
) -> None:
    """Refuse names that nothing reads and that nearly are known ones; warn of the others."""
    unknown = [
        key
        for key in given
        if not key.startswith("_") and key not in known and not hasattr(Exp, key)
    ]
    if not unknown:
        return
    theirs = {kind.__module__ for kind in own} | _neighbours(file)
    read = set().union(*(_names_in(module, _any_object) for module in theirs))
    for kind in (Exp, AttentionExp, DemoExp):
        read |= _names_in(kind.__module__, _self_or_exp)
    read |= _names_in(Trainer.__module__, _exp)
    for key in unknown:
        if key in read:
            continue
        if close := get_close_matches(key, known, n=1, cutoff=CLOSE):
            raise InputError(f"{file}: self.{key} is no setting: did you mean {close[0]}?")
        hint = FLAGS.get(key, "if it is to be a setting, read it in the class")
        _warn(f"{file}: nothing reads self.{key}; {hint}")


def _class_attributes(kinds: Iterable[type], settings: Collection[str]) -> dict[str, Any]:
    """Return what the classes' bodies assign: settings, and what is neither method nor property."""
    return {
        key: value
        for kind in reversed([*kinds])
        for key, value in vars(kind).items()
        if key in settings
        or not (key.startswith("_") or callable(value) or hasattr(value, "__get__"))
    }


def _set_before_super(kind: type) -> Iterator[str]:
    """Yield the attributes that the class's own `__init__` sets in front of its super()."""
    tree = _tree(kind.__module__)
    for node in ast.walk(tree) if tree else ():
        if not (isinstance(node, ast.ClassDef) and node.name == kind.__name__):
            continue
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                yield from _early_targets(method.body)


def _early_targets(statements: Iterable[ast.stmt]) -> list[str]:
    found: list[str] = []
    for statement in statements:
        if any(isinstance(each, ast.Name) and each.id == "super" for each in ast.walk(statement)):
            return found
        found += [
            each.attr
            for each in ast.walk(statement)
            if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
        ]
    return []  # no super() at all: the loader says so


def _neighbours(file: Path) -> set[str]:
    """Return the loaded modules that lie beside the Exp file: what it imports may read it."""
    here = file.resolve().parent
    return {
        name
        for name, module in [*sys.modules.items()]
        if (source := getattr(module, "__dict__", {}).get("__file__"))
        and isinstance(source, str)
        and Path(source).parent == here
    }


def _names_in(module: str, reads_setting: Callable[[ast.expr], bool]) -> set[str]:
    """Return the names that the module reads, as an attribute of what is asked for, or as text."""
    names = set()
    for node in ast.walk(_tree(module) or ast.Module([], [])):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            if reads_setting(node.value):
                names.add(node.attr)
        elif reads_setting is _any_object and isinstance(node, ast.Constant):
            names.add(str(node.value))  # getattr(self, "name")
    return names


def _any_object(_: ast.expr) -> bool:
    return True


def _exp(value: ast.expr) -> bool:
    """Tell whether the expression is `exp` or `self.exp`, and not `self` or `self.args`."""
    return getattr(value, "attr", getattr(value, "id", None)) == "exp"


def _self_or_exp(value: ast.expr) -> bool:
    return _exp(value) or (isinstance(value, ast.Name) and value.id == "self")


def _tree(module: str) -> ast.Module | None:
    try:
        return ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError, KeyError):  # typed into an interpreter
        return None


@functools.cache
def _warn(line: str) -> None:
    rank = os.environ.get("RANK")
    if rank is None or (rank == "0" and LAUNCHER not in os.environ):  # ours has said it itself
        logger.warning(line)
