import pytest

from yolox_attn.data.doctor import image_files as images
from yolox_attn.data.doctor.image_files import examine_images, read_images


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


def test_progress_is_silent_unless_asked(load, capfd):
    read_images(load("train"), "train", full=True, progress=False)
    assert capfd.readouterr().err == ""
