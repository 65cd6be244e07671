"""An experiment from a file, by its whole path, or by name; and on data of one's own."""

import hashlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from yolox_attn.blocks import ATTENTIONS, CONTROLS, known_names
from yolox_attn.data.coco_folder import read_coco_folder
from yolox_attn.data.formats import converted
from yolox_attn.errors import InputError
from yolox_attn.exp.attributes import check_attributes
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.checks import check_types
from yolox_attn.exp.sizes import SIZES
from yolox_attn.runs.record import EXP_MODULE

# What `use_data` sets.
DATA_SETTINGS = (
    *("data_dir", "num_classes", "train_ann", "train_name", "val_ann", "val_name"),
    *("test_ann", "test_name"),
)


def load_exp(exp_file: str | None = None, name: str | None = None) -> AttentionExp:
    """Return a fresh experiment from an Exp file (which is run) or a name like "yolox-m-cam".

    Raises:
        InputError: neither or an unknown one is given, or the file fails: with its own error.
    """
    if exp_file is not None:
        return exp_from_file(Path(exp_file))
    if name is None:
        raise InputError("which experiment? give an Exp file, or a name as yolox-s-cam")
    return exp_from_name(name)


def exp_from_name(name: str) -> AttentionExp:
    """Return the experiment "yolox-<size>" or "yolox-<size>-<block>"; "_" reads as "-".

    A control is named likewise: "yolox-nano-placebo", "yolox-nano-plain:cam" (plain like cam).
    """
    words = name.replace("_", "-").split("-")
    size, block = words[1:2], words[2:3]
    if words[0] != "yolox" or len(words) > 3 or not size or size[0] not in SIZES:
        sizes = ", ".join(SIZES)
        raise InputError(f"-n {name}: unknown; give yolox-SIZE or yolox-SIZE-BLOCK, SIZE: {sizes}")
    attention, *like = (block[0] if block else "none").split(":", 1)
    if attention not in ATTENTIONS | CONTROLS or (like and attention != "plain"):
        raise InputError(f"-n {name}: unknown block; known: {known_names()}")
    exp = SIZES[size[0]]()
    exp.attention = attention
    if like:
        exp.attention_options = {"like": like[0]}
    exp.exp_name = "_".join(words).replace(":", "_")
    return exp


def exp_from_file(path: Path, *, sha256: str | None = None) -> AttentionExp:
    """Return `Exp()` of the file; two files of one basename in two folders stay two experiments.

    Args:
        path: of the Exp file, which is run.
        sha256: what its content must have; None: it may have any.

    Raises:
        InputError: no such file, another content, or the file fails: with its own error.
    """
    if not path.is_file():
        raise InputError(f"no Exp file {path}")
    if path.suffix != ".py":
        raise InputError(f"{path} is not a Python file")
    source = path.read_bytes()  # what is hashed is what is run
    if sha256 is not None and hashlib.sha256(source).hexdigest() != sha256:
        raise InputError(f"{path} has changed since the run was made")
    exp = _made_by(path, source)
    if not isinstance(exp, AttentionExp):
        raise InputError(
            f"{path}: Exp derives from {type(exp).__mro__[1].__module__}; "
            "change its base class to yolox_attn.exp.AttentionExp"
        )
    if not hasattr(exp, "exp_name"):
        raise InputError(f"{path}: Exp.__init__ must begin with super().__init__()")
    if exp.exp_name == "yolox_base":
        exp.exp_name = path.stem
    check_attributes(exp, path)
    try:
        check_types(exp, AttentionExp())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return exp


def _made_by(path: Path, source: bytes) -> Any:
    try:
        module = _import(path, source)
        if not hasattr(module, "Exp"):
            raise InputError(f"{path} defines no class Exp")
        return module.Exp()
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}{_place(error, path)}: {type(error).__name__}: {error}") from error


def use_data(exp: AttentionExp, folder: str | Path) -> None:
    """Point `exp` at a data set: classes, file and folder names are read from it.

    Args:
        exp: the experiment.
        folder: in COCO layout; a set of another layout is converted into the cache.

    Raises:
        InputError: it is missing or wrong (see `converted` and `read_coco_folder`).
    """
    data = read_coco_folder(converted(Path(folder)))
    exp.data_dir = str(data.root)
    exp.num_classes = len(data.classes)
    exp.train_ann, exp.train_name = data.train
    exp.val_ann, exp.val_name = data.val
    if data.test is not None:
        exp.test_ann, exp.test_name = data.test


def _place(error: BaseException, path: Path) -> str:
    """Return ", line 3": the line of `path` that raised `error`, or where its syntax broke."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path.resolve())]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    return f", line {line}" if line else ""


def _import(path: Path, source: bytes) -> ModuleType:
    whole = path.resolve()
    name = f"{EXP_MODULE}{hashlib.sha256(str(whole).encode()).hexdigest()[:12]}_{whole.stem}"
    module = ModuleType(name)
    module.__file__ = str(whole)
    sys.modules[name] = module  # so that the Exp can be pickled and its source found
    if str(whole.parent) not in sys.path:
        sys.path.append(str(whole.parent))  # an Exp file may import its neighbours, as with YOLOX
    exec(compile(source, str(whole), "exec"), module.__dict__)
    return module
