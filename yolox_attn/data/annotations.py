"""COCO annotation files: read once, and refused with one clear line where they cannot work."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.data.faults import find_faults
from yolox_attn.data.names import image_name
from yolox_attn.errors import InputError


@dataclass(frozen=True)
class Annotations:
    """A checked annotation file: its content, and the hash of its bytes."""

    file: Path
    content: dict[str, Any]
    sha256: str

    @property
    def categories(self) -> list[tuple[int, str]]:
        """(id, name) of every category, sorted by id: the order of YOLOX's class indices."""
        return sorted((entry["id"], entry["name"]) for entry in self.content["categories"])

    @property
    def image_names(self) -> list[str]:
        """The file name of every image, relative to the image folder."""
        return [image_name(image) for image in self.content["images"]]


def read_annotations(file: Path) -> Annotations:
    """Read and check a COCO instances file.

    Raises:
        InputError: unreadable, no json, or one of the faults of `find_faults`.
    """
    content, sha256 = read_json(file)
    return Annotations(file, check_annotations(content, file), sha256)


def read_json(file: Path) -> tuple[object, str]:
    """Return the content of a json file, unchecked, and the hash of its bytes.

    Raises:
        InputError: unreadable, or no json.
    """
    try:
        raw = file.read_bytes()
        content = json.loads(raw.decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read annotation file {file}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{file} is no valid json: {place}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no UTF-8 text: byte {error.start}") from error
    except RecursionError as error:
        raise InputError(f"{file} is no json that can be read: nested too deeply") from error
    except ValueError as error:  # a number of too many digits
        raise InputError(f"{file} is no json that can be read: {error}") from error
    return content, hashlib.sha256(raw).hexdigest()


def check_annotations(content: object, file: Path) -> dict[str, Any]:
    """Return the content of `file` if YOLOX and pycocotools can work with it.

    Raises:
        InputError: names the first of its faults (see `find_faults`) and how many more kinds.
    """
    faults = find_faults(content)
    if faults or not isinstance(content, dict):
        more = len(faults) - 1
        rest = f"; and {more} more kind{'s' * (more > 1)} of error" if more else ""
        raise InputError(f"{file}{faults[0].told}{rest}{', see tools/doctor.py' if more else ''}")
    return content
