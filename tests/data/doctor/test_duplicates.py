import shutil

import cv2
import numpy as np
import pytest

from yolox_attn.data.doctor.duplicates import same_files, same_pixels
from yolox_attn.data.doctor.image_files import read_images


@pytest.fixture
def noise(folder):
    """Give every image of the folder pixels of its own."""
    for seed, file in enumerate(sorted(folder.glob("*2017/*.png"))):
        pixels = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(file), pixels)
    return folder


def pixels(load):
    train, val = load("train"), load("val")
    splits = {"train": train, "val": val}
    states = {name: read_images(splits[name], name, full=True, progress=False) for name in splits}
    return [(e.code, e.split, e.examples) for e in same_pixels(splits, states) if e.count]


def test_different_images_do_not_overlap(load, noise):
    assert pixels(load) == []
    assert same_files(load("train"), load("val")).count == 0


def test_a_copy_under_another_name_is_found(load, noise):
    shutil.copy(noise / "train2017" / "train1.png", noise / "val2017" / "val2.png")
    found = ("val2.png = train1.png",)
    assert pixels(load) == [("overlap", "both", found)]
    quick = same_files(load("train"), load("val"))
    assert (quick.level, quick.examples) == ("warning", found)


def test_a_rewritten_copy_is_found_by_its_pixels(load, noise):
    image = cv2.imread(str(noise / "train2017" / "train1.png"))
    copy = noise / "val2017" / "val2.png"
    copy.write_bytes(cv2.imencode(".bmp", image)[1].tobytes())  # decoders ignore the ending
    assert same_files(load("train"), load("val")).count == 0
    assert pixels(load) == [("overlap", "both", ("val2.png = train1.png",))]


def test_twins_within_a_split(load, noise):
    shutil.copy(noise / "train2017" / "train1.png", noise / "train2017" / "train2.png")
    assert pixels(load) == [("repeated_images", "train", ("train1.png = train2.png",))]


def test_a_file_listed_twice_is_no_twin_of_itself(load, noise, spoil):
    spoil(lambda c: c["images"].append(c["images"][0] | {"id": 9}))
    assert pixels(load) == []
