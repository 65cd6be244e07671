import pytest

from yolox_attn.coco.checks import image_name, told_name
from yolox_attn.data.coco_folder import missing_images
from yolox_attn.console import printable, shortlist


def test_a_name_made_from_the_id_is_said_to_be_made():
    assert image_name({"id": 7}) == "000000000007.jpg"
    assert told_name({"id": 7}) == "000000000007.jpg (a name made from the id)"
    assert told_name({"id": 7, "file_name": "a.png"}) == "a.png"


def test_missing_images_are_told_by_their_place(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.png").write_bytes(b"")
    names = ["gone.png", "below/a.png", "nowhere/a.png", "lone\ud800.png"]
    assert missing_images(tmp_path, [{"id": 1, "file_name": name} for name in names]) == [0, 2, 3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a b é 图.png", "a b é 图.png"),
        ("a\nb\0\x1b[1m", "a\\nb\\x00\\x1b[1m"),
        ("\u202egnp.a\ud800", "\\u202egnp.a\\ud800"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text, told):
    assert printable(text) == told
    assert shortlist([text]) == told
