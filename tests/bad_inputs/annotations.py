"""Annotation files that are no json, no COCO, or contradict themselves or each other."""

from collections.abc import Callable
from typing import Any

from bad_inputs.case import Case, Place

Content = dict[str, Any]


def written(content: bytes, split: str = "train") -> Callable[[Place], None]:
    """Return what puts `content` in place of a split's file."""

    def spoil(place: Place) -> None:
        (place.own_data() / f"annotations/instances_{split}2017.json").write_bytes(content)

    return spoil


def cut(place: Place) -> None:
    file = place.own_data() / "annotations/instances_val2017.json"
    file.write_text(file.read_text()[:200])


def edited(change: Callable[[Content], Any], split: str = "train") -> Callable[[Place], None]:
    return lambda place: place.change_json(change, split)


def first(key: str, split: str = "train", **changes: Any) -> Callable[[Place], None]:
    """Return what changes values of the first entry of `key`; None takes them out."""

    def change(content: Content) -> None:
        entry = content[key][0]
        entry.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del entry[name]

    return edited(change, split)


def text_ids(content: Content) -> None:
    for image in content["images"]:
        image["id"] = str(image["id"])
    for entry in content["annotations"]:
        entry["image_id"] = str(entry["image_id"])


def twice(key: str) -> Callable[[Place], None]:
    """Return what gives the second entry of `key` the id of the first."""
    return edited(lambda content: content[key][1].update(id=content[key][0]["id"]))


def one_category_less(content: Content) -> None:
    last = content["categories"].pop()["id"]
    content["annotations"] = [e for e in content["annotations"] if e["category_id"] != last]


def one_name_twice(content: Content) -> None:
    content["categories"][1]["name"] = content["categories"][0]["name"]


CASES = [
    Case("empty", "<train> is no valid json: line 1, column 1: ...", spoil=written(b"")),
    Case("cut", "<val> is no valid json: line 1, column 200: ...", spoil=cut),
    Case("a comma too many", "<train> is no valid json: line 1, column 2...: ...",
         spoil=written(b'{"images":        [],}')),
    Case("not UTF-8", "<train> is no UTF-8 text: byte 12", spoil=written(b'{"images": "\xff"}')),
    Case("a list", "<train> holds a json list, not a COCO object", spoil=written(b"[]")),
    Case("deeply nested", "<train> is no json that can be read: nested too deeply",
         spoil=written(b"[" * 100_000)),
    Case("no images key",
         "<train> has no list of objects 'images'; COCO files need ('images', 'annotations', "
         "'categories')", spoil=edited(lambda content: content.pop("images"))),
    Case("annotations are an object",
         "<train> has no list of objects 'annotations'; COCO files need ('images', 'annotations', "
         "'categories')", spoil=edited(lambda content: content.update(annotations={}))),
    Case("no categories key",
         "<val> has no list of objects 'categories'; COCO files need ('images', 'annotations', "
         "'categories')", spoil=edited(lambda content: content.pop("categories"), "val")),
    Case("no images", "<train> lists no images",
         spoil=edited(lambda content: content.update(images=[], annotations=[]))),
    Case("no annotations", "<train> has no annotations: nothing to learn or to judge by",
         spoil=edited(lambda content: content.update(annotations=[]))),
    Case("no annotations in val", "<val> has no annotations: nothing to learn or to judge by",
         spoil=edited(lambda content: content.update(annotations=[]), "val")),
    Case("no categories", "<train> lists no categories",
         spoil=edited(lambda content: content.update(categories=[], annotations=[]))),
    Case("image ids are text", "<train>: images whose id is no integer: 12 ('1', '2', '3', ...)",
         spoil=edited(text_ids)),
    Case("an image without id", "<train>: images whose id is no integer: 1 (None)",
         spoil=first("images", id=None)),
    Case("an image id twice",
         "<train>: images that share their id: 2 (1); and 1 more kind of error, see yolox-attn "
         "doctor", spoil=twice("images")),
    Case("an annotation id twice", "<train>: annotations that share their id: 2 (1)",
         spoil=twice("annotations")),
    Case("a category id twice",
         "<train>: categories that share their id: 2 (1); and 1 more kind of error, see yolox-attn "
         "doctor", spoil=twice("categories")),
    Case("a category name twice", "<train>: categories that share their name: 2 (disc)",
         spoil=edited(one_name_twice)),
    Case("a category without name", "<train>: categories without a name: 1 (1)",
         spoil=first("categories", name=None)),
    Case("unknown category",
         "<train>: annotations of no listed category: 1 (annotation 1: category 77)",
         spoil=first("annotations", category_id=77)),
    Case("unknown image", "<train>: annotations of no listed image: 1 (annotation 1: image 999)",
         spoil=first("annotations", image_id=999)),
    Case("a list for an image id",
         "<train>: annotations of no listed image: 1 (annotation 1: image [1])",
         spoil=first("annotations", image_id=[1])),
    Case("a name that goes up",
         "<train>: file names that leave the image folder (absolute, or with ..): 1 "
         "(../val2017/000001.png)", spoil=first("images", file_name="../val2017/000001.png")),
    Case("an absolute name",
         "<train>: file names that leave the image folder (absolute, or with ..): 1 "
         "(/etc/hostname)", spoil=first("images", file_name="/etc/hostname")),
    Case("a name that is a number", "<train>: images whose file_name is no text: 1 (7)",
         spoil=first("images", file_name=7)),
    Case("width 0", "<train>: images without a positive width and height: 1 (000001.png)",
         spoil=first("images", width=0)),
    Case("height missing", "<val>: images without a positive width and height: 1 (000001.png)",
         spoil=first("images", split="val", height=None)),
    Case("categories differ", "<train> and <val> list different categories: 5 'star'",
         spoil=edited(one_category_less, "val")),
    Case("a box of three",
         "<train>: annotations without a bbox of four finite numbers: 1 (annotation 1: [1, 2, 3])",
         spoil=first("annotations", bbox=[1, 2, 3])),
    Case("a box of nan",
         "<train>: annotations without a bbox of four finite numbers: 1 (annotation 1: [1, 2, nan, "
         "4])", spoil=first("annotations", bbox=[1, 2, float("nan"), 4])),
    Case("no box",
         "<train>: annotations without a bbox of four finite numbers: 1 (annotation 1: None)",
         spoil=first("annotations", bbox=None)),
    Case("a box of text",
         "<train>: annotations without a bbox of four finite numbers: 1 (annotation 1: ['1', '2', "
         "'3', '4'])", spoil=first("annotations", bbox=["1", "2", "3", "4"])),
]  # fmt: skip
