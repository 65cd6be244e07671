"""A set is read again after any change, and only then."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import cv2
import pytest
from layouts import as_roboflow, as_roboflow_voc, as_voc, as_yolo, content_of

from yolox_attn.data.formats import converted, unchanged
from yolox_attn.data.formats.unchanged import Memory
from yolox_attn.errors import InputError

module = import_module("yolox_attn.data.formats.convert")  # the package has a function of this name


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(unchanged, "SETTLED", 0.05)
    return tmp_path / "cache"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], bool]:
    """Convert a set, and tell whether it was read for that."""
    readings = []
    reader = module._reader

    def counting(root: Path, **options: bool) -> object:
        readings.append(root)
        return reader(root, **options)

    monkeypatch.setattr(module, "_reader", counting)

    def read(root: Path) -> bool:
        readings.clear()
        converted(root)
        return bool(readings)

    return read


def settle() -> None:
    time.sleep(0.1)


def near_and_far(coco: Path, folder: Path) -> tuple[Path, Path]:
    """A data.yaml in a folder of its own, and the set that it names."""
    far = as_yolo(coco, folder / "far")
    (folder / "near").mkdir()
    text = (far / "data.yaml").read_text().replace("path: .", f"path: {far}")
    (folder / "near/data.yaml").write_text(text)
    return folder / "near", far


def loose(coco: Path, folder: Path) -> Path:
    """Two jsons above their images."""
    for split in ("train", "val"):
        content = content_of(coco, split)
        for image in content["images"]:
            image["file_name"] = f"{split}2017/{image['file_name']}"
        shutil.copytree(coco / f"{split}2017", folder / f"{split}2017")
        (folder / f"{split}.json").write_text(json.dumps(content))
    return folder


SETS = {
    "voc": as_voc,
    "yolo": as_yolo,
    "yolo by classes.txt": lambda coco, root: as_yolo(coco, root, yaml=False),
    "data.yaml": lambda coco, root: as_yolo(coco, root) / "data.yaml",
    "elsewhere": lambda coco, root: near_and_far(coco, root)[0],
    "elsewhere, data.yaml": lambda coco, root: near_and_far(coco, root)[0] / "data.yaml",
    "roboflow": as_roboflow,
    "loose": loose,
}


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_is_as_it_was_is_not_read_again(
    drawn: Path, tmp_path: Path, name: str, read: Callable[[Path], bool]
) -> None:
    root = SETS[name](drawn, tmp_path / "set")
    settle()
    assert read(root)
    assert read(root) == name.startswith("elsewhere") or name == "data.yaml"
    folder = converted(root)
    assert (read(root), converted(root)) == (False, folder)


def rewrite(file: Path) -> None:
    """Change some bytes, neither the size nor the time of modification."""
    times = file.stat()
    file.write_bytes(file.read_bytes().replace(b"<difficult>0", b"<difficult>1"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def shrink(file: Path) -> None:
    cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file)), None, fx=0.5, fy=0.5))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a label": lambda root: rewrite(next((root / "Annotations").iterdir())),
    "an image": lambda root: shrink(next((root / "JPEGImages").iterdir())),
    "one more": lambda root: (root / "JPEGImages/more.jpg").touch(),
    "a list": lambda root: (root / "ImageSets/Main/val.txt").open("a").write("\n"),
    "classes": lambda root: (root / "classes.txt").open("a").write("\nnew"),
    "a name": lambda root: (root / "notes").rename(root / "data.yml"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_it_is_read_again(
    drawn: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = as_voc(drawn, tmp_path / "set")
    (root / "notes").touch()
    settle()
    memory = Memory(tmp_path / "memory", root)
    memory.keep("made", [])
    assert Memory(tmp_path / "memory", root).recall() == "made"
    CHANGES[name](root)
    assert Memory(tmp_path / "memory", root).recall() is None


def label_next_to_image(far: Path) -> None:
    """A label where one is looked for, and was not."""
    image = next((far / "images/val").iterdir())
    image.with_suffix(".txt").write_text("0 .5 .5 .5 .5")


FAR: dict[str, Callable[[Path], object]] = {
    "a label": lambda far: next((far / "labels/train").iterdir()).write_text("0 .5 .5 .5 .5"),
    "no label": lambda far: next((far / "labels/train").iterdir()).unlink(),
    "an image": lambda far: shrink(next((far / "images/val").iterdir())),
    "no image": lambda far: next((far / "images/val").iterdir()).unlink(),
    "moved": lambda far: far.rename(far.with_name("farther")),
    "a label next to its image": label_next_to_image,
}


@pytest.mark.parametrize("file", ["", "data.yaml"])
@pytest.mark.parametrize("name", FAR)
def test_what_lies_elsewhere_is_watched_too(
    drawn: Path, tmp_path: Path, name: str, file: str, read: Callable[[Path], bool]
) -> None:
    near, far = near_and_far(drawn, tmp_path)
    settle()
    assert [read(near / file) for _ in range(3)] == [True, True, False]
    FAR[name](far)
    try:
        assert read(near / file)
    except InputError:
        assert name == "moved"


def test_a_folder_that_a_data_yaml_names_and_that_comes_later_counts(
    drawn: Path, tmp_path: Path, read: Callable[[Path], bool]
) -> None:
    root = as_yolo(drawn, tmp_path / "set")
    file = root / "data.yaml"
    file.write_text(file.read_text().replace("path: .", "path: ../later"))
    settle()
    assert [read(root) for _ in range(3)] == [True, True, False]
    as_yolo(drawn, tmp_path / "later")
    assert read(root)


def test_labels_that_come_later_next_to_the_folder_of_images_count(
    drawn: Path, tmp_path: Path, read: Callable[[Path], bool]
) -> None:
    """A folder below images/ is YOLO's as soon as labels/ has labels for it."""
    (tmp_path / "images").mkdir()
    root = as_roboflow_voc(drawn, tmp_path / "images/set")
    settle()
    assert [read(root) for _ in range(3)] == [True, True, False]
    image = next((root / "train").glob("*.[jp]*g"))
    (tmp_path / "labels/set/train").mkdir(parents=True)
    (tmp_path / "labels/set/train" / f"{image.stem}.txt").write_text("0 .5 .5 .5 .5")
    with contextlib.suppress(InputError):
        assert read(root)


def test_a_folder_that_a_data_yaml_names_and_that_goes_counts(
    drawn: Path, tmp_path: Path, read: Callable[[Path], bool]
) -> None:
    root = as_yolo(drawn, tmp_path / "set")
    file = root / "data.yaml"
    (tmp_path / "base").mkdir()
    file.write_text(file.read_text().replace("path: .", "path: ../base"))
    settle()
    assert [read(root) for _ in range(3)] == [True, True, False]
    (tmp_path / "base").rmdir()
    assert read(root)


@pytest.mark.parametrize("link", [True, False])
@pytest.mark.parametrize("readings", [[True, True, False], [True, True, True, False]])
def test_what_is_put_elsewhere_while_it_is_read_is_read_again(
    drawn: Path,
    tmp_path: Path,
    read: Callable[[Path], bool],
    monkeypatch: pytest.MonkeyPatch,
    readings: list[bool],
    *,
    link: bool,
) -> None:
    """In the first or second reading; a link, or a folder, and all files behind it are old."""
    near, _ = near_and_far(drawn, tmp_path)
    for version in ("v1", "v2"):
        shutil.copytree(tmp_path / "far", tmp_path / version)
    next((tmp_path / "v2/labels/val").iterdir()).unlink()
    shutil.rmtree(tmp_path / "far")
    if link:
        (tmp_path / "far").symlink_to(tmp_path / "v1")
    else:
        (tmp_path / "v1").rename(tmp_path / "far")
    settle()
    reader, done = module._read, []

    def swapping(*args: object) -> object:
        source = reader(*args)
        done.append(source)
        if len(done) == len(readings) - 2:
            (tmp_path / "far").rename(tmp_path / "old")
            if link:
                (tmp_path / "far").symlink_to(tmp_path / "v2")
            else:
                (tmp_path / "v2").rename(tmp_path / "far")
        return source

    monkeypatch.setattr(module, "_read", swapping)
    assert [read(near) for _ in readings] == readings
    assert "1 image without" in str(done[-1].notes)
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "fresh"))
    fresh = converted(near).name
    monkeypatch.setenv("YOLOX_ATTN_CACHE", str(tmp_path / "cache"))
    assert converted(near).name == fresh


def test_a_list_of_images_elsewhere_counts(
    drawn: Path, tmp_path: Path, read: Callable[[Path], bool]
) -> None:
    root, listing = as_yolo(drawn, tmp_path / "set"), tmp_path / "train.txt"
    images = sorted(map(str, (root / "images/train").iterdir()))
    listing.write_text("\n".join(images))
    file = root / "data.yaml"
    file.write_text(file.read_text().replace("train: images/train", f"train: {listing}"))
    settle()
    assert [read(root) for _ in range(3)] == [True, True, False]
    listing.write_text("\n".join(images[1:]))
    assert read(root)


def test_links_are_followed_to_what_they_show_now(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    root = tmp_path / "set"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "one")
    (root / "self").symlink_to(root)
    (root / "nothing").symlink_to(tmp_path / "none")
    settle()
    Memory(tmp_path / "memory", root).keep("made", [])
    assert Memory(tmp_path / "memory", root).recall() == "made"
    (tmp_path / "one/file").write_text("more")
    assert Memory(tmp_path / "memory", root).recall() is None
    settle()
    Memory(tmp_path / "memory", root).keep("made", [])
    (root / "link").unlink()
    (root / "link").symlink_to(tmp_path / "two")
    assert Memory(tmp_path / "memory", root).recall() is None
    settle()
    Memory(tmp_path / "memory", root).keep("made", [])
    (tmp_path / "none").touch()
    assert Memory(tmp_path / "memory", root).recall() is None


def test_a_set_that_has_just_changed_is_not_trusted_to_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next change may fall into the same tick of the clock."""
    monkeypatch.setattr(unchanged, "SETTLED", 60)
    root = tmp_path / "set"
    root.mkdir()
    Memory(tmp_path / "memory", root).keep("made", [])
    assert Memory(tmp_path / "memory", root).recall() is None


def test_what_changes_elsewhere_while_it_is_read_is_not_kept(tmp_path: Path) -> None:
    root, other = tmp_path / "set", tmp_path / "other"
    for folder in (root, other):
        folder.mkdir()
    settle()
    memory = Memory(tmp_path / "memory", root)
    (other / "file").touch()
    memory.keep("made", [other])
    memory = Memory(tmp_path / "memory", root)
    memory.keep("made", [other])
    assert Memory(tmp_path / "memory", root).recall() is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"root": 1}', '{"made": 1, "elsewhere": 3}'])
def test_a_damaged_memory_is_none(
    drawn: Path, tmp_path: Path, text: str, cache: Path, read: Callable[[Path], bool]
) -> None:
    root = as_voc(drawn, tmp_path / "set")
    settle()
    read(root)
    [file] = cache.glob("read-*/*.json")
    file.write_text(text)
    assert (read(root), read(root)) == (True, False)


@pytest.mark.parametrize("made", ["../elsewhere", "converted-1-0000000000000000", ""])
def test_a_memory_leads_to_conversions_alone(
    drawn: Path, tmp_path: Path, made: str, cache: Path, read: Callable[[Path], bool]
) -> None:
    root = as_voc(drawn, tmp_path / "set")
    settle()
    read(root)
    [file] = cache.glob("read-*/*.json")
    shutil.copytree(converted(root), tmp_path / "elsewhere", symlinks=True)
    file.write_text(json.dumps({**json.loads(file.read_text()), "made": made}))
    assert read(root)


def test_the_notes_are_said_every_time(
    drawn: Path, tmp_path: Path, read: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.logger, "warning", said.append)
    root = as_yolo(drawn, tmp_path / "set")
    next((root / "labels/train").iterdir()).unlink()
    settle()
    assert (read(root), read(root)) == (True, False)
    assert said[0] == said[1] == f"{root} (YOLO): 1 image without a label file: background"
    said.clear()
    [label] = {each.stem for each in (root / "images/train").iterdir()} - {
        each.stem for each in (root / "labels/train").iterdir()
    }
    (root / f"labels/train/{label}.txt").touch()  # the same boxes, and nothing to note
    assert (read(root), said) == (True, [])


def test_a_place_that_cannot_be_named_is_kept_by_nobody(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    settle()
    for name in ("/x\0y", "/" + 300 * "x"):
        Memory(tmp_path / "memory", root).keep("made", [Path(name)])
        assert Memory(tmp_path / "memory", root).recall() is None
