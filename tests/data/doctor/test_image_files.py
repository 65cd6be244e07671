import struct

import cv2
import numpy as np
import pytest

from yolox_attn.data.doctor import image_files as images
from yolox_attn.data.doctor.image_files import (
    examine_file,
    examine_images,
    is_whole,
    orientation,
    read_images,
)

NOISE = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)


def encoded(ending, pixels=NOISE):
    return cv2.imencode(ending, pixels)[1].tobytes()


def turned(jpeg, value, order="<", inside=b""):
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    entry = struct.pack(order + "HHIHH", 0x112, 3, 1, value, 0)
    exif = b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 1) + entry + b"\0" * 4 + inside
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def write(tmp_path, raw):
    file = tmp_path / "image"
    file.write_bytes(raw)
    return file


def codes(tmp_path, raw, size=(30, 40)):
    return [code for code, _ in examine_file(write(tmp_path, raw), size).faults]


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_sound_files_of_many_formats(tmp_path, ending):
    assert codes(tmp_path, encoded(ending)) == []


@pytest.mark.parametrize("channels", [1, 4])
def test_gray_and_alpha_are_no_fault(tmp_path, channels):
    assert codes(tmp_path, encoded(".png", np.zeros((30, 40, channels), dtype=np.uint8))) == []


@pytest.mark.parametrize("raw", [b"", b"no image", encoded(".bmp")[:60]])
def test_no_image(tmp_path, raw):
    assert codes(tmp_path, raw) == ["unreadable"]


def test_missing_file(tmp_path):
    state = examine_file(tmp_path / "gone.jpg", (30, 40))
    assert state.faults == (("unreadable", "No such file or directory"),)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_cut_off(tmp_path, ending, share):
    raw = encoded(ending)
    assert codes(tmp_path, raw[: int(share * len(raw))]) == ["truncated"]


def test_a_thumbnail_s_end_is_not_the_image_s_and_rubbish_behind_is_none():
    whole = turned(encoded(".jpg"), 1, inside=encoded(".jpg", NOISE[:8, :8]))
    assert is_whole(whole)
    assert is_whole(whole + b"\0" * 99)
    assert not is_whole(whole[:-200])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_orientation_is_read(order, value):
    assert orientation(turned(encoded(".jpg"), value, order)) == value


ABSURD = {  # EXIF that holds no orientation of 1 to 8
    "none": encoded(".jpg"),
    "a png": encoded(".png"),
    "cut": turned(encoded(".jpg"), 6)[:30],
    "its head alone": b"\xff\xd8\xffExif\0\0II*",
    "orientation 0": turned(encoded(".jpg"), 0),
    "orientation 9": turned(encoded(".jpg"), 9),
    "no byte order": turned(encoded(".jpg"), 6).replace(b"II*\0", b"XX*\0"),
    "an offset beyond the file": turned(encoded(".jpg"), 6).replace(b"*\0\x08", b"*\0\xff\xff"),
    "fewer tags than it counts": turned(encoded(".jpg"), 9).replace(b"\0\1\0\x12", b"\0\xff\0\x12"),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("raw", [b"", *ABSURD.values()], ids=["nothing", *ABSURD])
def test_files_without_orientation_are_upright(raw):
    assert orientation(raw) == 1


def test_broken_exif_is_no_fault_of_the_image_and_makes_no_noise(load, folder, recwarn):
    dataset = load("train")
    raw = ABSURD["an offset beyond the file"]
    (folder / "train2017" / "train1.png").write_bytes(raw)  # decoders ignore the ending
    assert read_images(dataset, "train", full=True, progress=False)[0].faults == ()
    assert not recwarn.list


def test_a_rotated_image_fits_its_json_stored_or_turned_but_is_reported(tmp_path):
    raw = turned(encoded(".jpg"), 6)
    assert codes(tmp_path, raw) == codes(tmp_path, raw, (40, 30)) == ["rotated"]
    assert codes(tmp_path, turned(encoded(".jpg"), 3), (40, 30)) == ["wrong_size"]


def test_wrong_size_names_both(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(".png"))
    (fault,) = examine_file(tmp_path / "a.png", (30, 41)).faults
    assert fault == ("wrong_size", "40x30, the json says 41x30")


def test_sixteen_bits(tmp_path):
    assert codes(tmp_path, encoded(".png", NOISE.astype(np.uint16) * 16)) == ["deep"]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_what_training_cannot_read_is_unreadable(tmp_path, kind):
    raw = encoded(".tiff", NOISE.astype(kind))
    state = examine_file(write(tmp_path, raw), (30, 40))
    name = np.dtype(kind).name
    assert state.faults == (("unreadable", f"its {name} values cannot be read as 8-bit colours"),)
    dataset_reads = cv2.imread(str(tmp_path / "image"), cv2.IMREAD_COLOR)
    assert dataset_reads is None


def test_floats_that_training_can_read_are_not_called_sixteen_bits(tmp_path):
    assert codes(tmp_path, encoded(".hdr", NOISE.astype(np.float32) / 255)) == ["unusual"]


def test_digest_is_of_the_pixels_alone(tmp_path):
    for ending in (".png", ".bmp"):
        (tmp_path / f"a{ending}").write_bytes(encoded(ending))
    digests = {examine_file(tmp_path / f"a{e}", (30, 40)).digest for e in (".png", ".bmp")}
    assert len(digests) == 1
    (tmp_path / "b.png").write_bytes(encoded(".png", NOISE.transpose(1, 0, 2).reshape(40, 30, 3)))
    assert examine_file(tmp_path / "b.png", (40, 30)).digest not in digests


def test_full_reads_all_and_quick_a_spread_sample(load, monkeypatch):
    dataset = load("train")
    monkeypatch.setattr(images, "SAMPLE", 1)
    assert list(read_images(dataset, "train", full=True, progress=False)) == [0, 1]
    assert list(read_images(dataset, "train", full=False, progress=False)) == [0]


@pytest.mark.parametrize("full", [True, False])
def test_faulty_files_are_counted_and_named(load, folder, full):
    (folder / "train2017" / "train2.png").write_bytes(b"no image")
    dataset = load("train")
    states = read_images(dataset, "train", full=full, progress=False)
    (fault,) = (e for e in examine_images(dataset, "train", states, full=full) if e.count)
    assert (fault.level, fault.code, fault.examples) == (
        "error", "unreadable", ("train2.png: no image",)
    )  # fmt: skip
    assert ("of 2 looked at" in fault.message) is not full


def test_without_progress_nothing_is_printed(load, capfd):
    read_images(load("train"), "train", full=True, progress=False)
    assert capfd.readouterr().err == ""
