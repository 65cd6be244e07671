"""One split made two, by what the images hold: adding images moves none of the others."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from yolox_attn.data.formats.content import Content, rebased
from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import group_names


@dataclass(frozen=True)
class Splitting:
    """How a set is split.

    Args:
        share: of the images, or groups, that are trained on, about.
        seed: another seed, another split.
        by: images that stay together: a key of the image entries, or a csv (image, group).
    """

    share: float
    seed: int = 0
    by: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"--split {self.share:g}: the share to train on, above 0 and below 1")


def apart(content: Content, splitting: Splitting, origin: str) -> dict[str, Content]:
    """Return the train and the val part of a set whose file names are whole paths.

    An image belongs to train where the hash of its seed and its bytes, as a fraction, is below the
    share; a group likewise by its name.

    Raises:
        InputError: an image cannot be read, has no group, or a part would be empty.
    """
    images = sorted(content["images"], key=lambda image: image["id"])
    by = splitting.by
    keys = _group_names(content, images, by) if by else map(_bytes, images)
    trained = {
        image["id"]
        for image, key in zip(images, keys, strict=True)
        if _fraction(splitting.seed, key) < splitting.share
    }
    if not 0 < len(trained) < len(images):
        part = "train" if trained else "val"
        raise InputError(
            f"{origin}: --split {splitting.share:g} --split-seed {splitting.seed} puts all images "
            f"into {part}; another seed or share may not"
        )
    every = {image["id"] for image in images}
    return {"train": _part(content, trained), "val": _part(content, every - trained)}


def _group_names(content: Content, images: Sequence[Content], by: str) -> list[bytes]:
    """Return each image's group; a csv names images by their paths below the set's folder."""
    relative, _ = rebased({**content, "images": [*images]}, Path("the set"))
    return [name.encode() for name in group_names(relative["images"], by)]


def _bytes(image: Content) -> bytes:
    path = Path(image["file_name"])
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read image {path}: {error.strerror}") from error


def _fraction(seed: int, key: bytes) -> float:
    digest = hashlib.sha256(f"{seed}:".encode() + hashlib.sha256(key).digest()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _part(content: Content, ids: Iterable[int]) -> Content:
    kept = {*ids}
    return {
        **content,
        "images": [image for image in content["images"] if image["id"] in kept],
        "annotations": [e for e in content["annotations"] if e["image_id"] in kept],
    }
