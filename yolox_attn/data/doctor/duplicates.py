"""Images that are in both splits, or twice in one: found by content, whatever their names."""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from os import fstat
from pathlib import Path

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.image_files import States
from yolox_attn.data.doctor.report import Finding, finding

BLOCK = 4096  # bytes from the middle of a file: two compressed photographs differ there


def same_pixels(splits: dict[str, CocoDetection], states: dict[str, States]) -> Iterator[Finding]:
    """The full form: compare decoded pixels, which a renamed or rewritten copy does not change."""
    by_digest = {name: _names(dataset, states[name]) for name, dataset in splits.items()}
    known = by_digest.get("train", {})
    for name, names in by_digest.items():
        if name != "train":
            seen = (f"{names[each][0]} = {known[each][0]}" for each in names if each in known)
            yield _overlap(seen, name)
        twins = (" = ".join(same[:3]) for same in names.values() if len(same) > 1)
        message = "images that the split holds more than once, under several names"
        yield finding("warning", "repeated_images", name, message, twins)


def same_files(train: CocoDetection, val: CocoDetection, split: str = "val") -> Finding:
    """The quick form: compare file sizes, then 4 KiB of the files whose sizes are equal."""
    sizes: dict[int, list[Path]] = defaultdict(list)
    for index in range(len(train)):
        file = train.image_file(index)
        sizes[file.stat().st_size].append(file)
    digests: dict[tuple[int, str], str] = {}
    cases = []
    for index in range(len(val)):
        file = val.image_file(index)
        size = file.stat().st_size
        if size not in sizes:
            continue
        for twin in sizes.pop(size):
            digests[size, _middle(twin)] = twin.name
        sizes[size] = []  # read once, known from now on
        if other := digests.get((size, _middle(file))):
            cases.append(f"{file.name} = {other}")
    return _overlap(iter(cases), split, " (judged by size and a part of the file)")


def _names(dataset: CocoDetection, states: States) -> dict[str, list[str]]:
    """Return the file names, each once, of each digest."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for index, state in states.items():
        if state.digest is not None:
            names[state.digest][dataset.annotations[index][3]] = None
    return {digest: list(same) for digest, same in names.items()}


def _overlap(cases: Iterator[str], split: str, how: str = "") -> Finding:
    message = f"images of {split} that are in train too{how}: AP is not that of unseen images"
    return finding("warning", "overlap", "both" if split == "val" else split, message, cases)


def _middle(file: Path) -> str:
    """Return a digest of the middle of a file."""
    try:
        with file.open("rb") as stream:
            size = fstat(stream.fileno()).st_size
            stream.seek(max(0, size // 2 - BLOCK // 2))
            return blake2b(stream.read(BLOCK), digest_size=16).hexdigest()
    except OSError:  # reported as unreadable where it is decoded; it equals no other
        return str(file)
