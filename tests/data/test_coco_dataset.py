import gc
import pickle
import struct

import cv2
import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval
from yolox.data import COCODataset, TrainTransform, ValTransform

from yolox_attn.data import coco_dataset, shared_images
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.errors import InputError

SIZE = (60, 80)  # twice the images of `folder`


def dataset(folder, cls=CocoDetection, **options):
    return cls(str(folder), img_size=SIZE, **options)


def free_bytes(monkeypatch, count):
    """Let the machine have so much free memory, whatever other processes take."""
    for module in (coco_dataset, shared_images):
        monkeypatch.setattr(module, "free_memory", lambda: count)


def boxes(folder):
    return dataset(folder).load_anno(0)[:, :4].tolist()


def test_equals_yoloxs_on_sound_data(folder, capfd):
    theirs = dataset(folder, COCODataset)
    capfd.readouterr()
    ours = dataset(folder)
    assert len(ours) == len(theirs) == 2
    for index in range(2):
        for mine, other in zip(ours.pull_item(index), theirs.pull_item(index), strict=True):
            np.testing.assert_array_equal(mine, other)
    assert ours.load_anno(0).tolist() == [[10, 10, 50, 30, 1]]  # category 7 is the second by id
    assert ours._classes == ("three", "seven")
    assert ours.repairs == {}
    assert "info" in ours.coco.dataset  # which loadRes needs
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("preproc", [TrainTransform(max_labels=5), ValTransform()])
def test_items_have_yoloxs_shapes(folder, preproc):
    image, labels, size, index = dataset(folder, preproc=preproc)[1]
    assert image.shape == (3, *SIZE)
    assert labels.shape[1] == 5
    assert (size, index.tolist()) == ((30, 40), [2])


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ([-10, 0, 20, 20], [[0, 0, 20, 40]]),  # YOLOX keeps the width of 20: [0, 0, 40, 40]
        ([30, 20, 20, 20], [[60, 40, 80, 60]]),
        ([5, 5, 0, 10], []),
        ([5, 5, 10, -1], []),
        ([50, 5, 10, 10], []),
        ([-20, 5, 10, 10], []),
    ],
)
def test_boxes_are_clipped_at_both_corners(spoil, box, kept):
    assert boxes(spoil(lambda c: c["annotations"][0].update(bbox=box))) == kept


def test_area_and_iscrowd_are_filled_in(spoil):
    def strip(content):
        first, second = content["annotations"]
        first["area"] = 0
        del second["area"], first["iscrowd"], second["iscrowd"]

    images = dataset(spoil(strip))
    assert images.load_anno(0).shape == (1, 5)
    assert {(e["area"], e["iscrowd"]) for e in images.coco.dataset["annotations"]} == {(200, 0)}


def test_repairs_are_counted_and_the_json_stays_as_it_is(spoil):
    def damage(content):
        first, second = content["annotations"]
        first.update(bbox=[-10, 0, 20, 20], area=0)
        second.update(bbox=[50, 5, 10, 10], iscrowd=None, id=0)

    counts = {"clipped": 1, "dropped": 1, "area": 1, "iscrowd": 1, "ids": 2}
    folder = spoil(damage)
    before = (folder / "annotations" / "instances_train2017.json").read_bytes()
    assert dataset(folder).repairs == counts
    assert (folder / "annotations" / "instances_train2017.json").read_bytes() == before


def test_given_area_and_box_stay_for_the_evaluation(spoil):
    images = dataset(spoil(lambda c: c["annotations"][0].update(area=77, bbox=[-10, 0, 20, 20])))
    assert images.coco.anns[1]["area"] == 77
    assert images.coco.anns[1]["bbox"] == [-10, 0, 20, 20]


def test_crowds_are_not_trained_on(spoil):
    assert boxes(spoil(lambda c: c["annotations"][0].update(iscrowd=1))) == []


def test_image_without_objects(spoil):
    assert dataset(spoil(lambda c: c["annotations"].pop(0))).load_anno(0).shape == (0, 5)


def test_annotation_id_zero_counts_as_a_match(spoil):
    """COCOeval takes a match with annotation 0 for no match; perfect detections must give 1."""
    images = dataset(spoil(lambda c: [e.update(id=e["id"] - 1) for e in c["annotations"]]))
    detections = [
        {**{k: e[k] for k in ("image_id", "category_id", "bbox")}, "score": 0.9}
        for e in images.coco.dataset["annotations"]
    ]
    evaluation = COCOeval(images.coco, images.coco.loadRes(detections), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot read annotation file"), ("{}", "no list of objects")]
)
def test_a_bad_annotation_file_is_one_error_and_no_noise(folder, content, says, capfd):
    file = folder / "annotations" / "instances_train2017.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        dataset(folder)
    assert str(file) in str(caught.value)
    del caught
    gc.collect()
    assert capfd.readouterr().err == ""  # YOLOX's __del__ fails on an unfinished object


def test_faults_of_the_content_are_refused(spoil):
    folder = spoil(lambda c: c["images"].append(dict(c["images"][0])))
    with pytest.raises(InputError, match="images that share their id"):
        dataset(folder)


def test_annotation_without_image_is_explained(spoil):
    folder = spoil(lambda c: c["annotations"][0].pop("image_id"))  # a KeyError in pycocotools
    with pytest.raises(InputError, match="annotations of no listed image: 1"):
        dataset(folder)


def test_missing_image_is_found_at_the_start(folder):
    (folder / "train2017" / "train2.png").unlink()
    with pytest.raises(InputError, match=r"1 of 2 images of .* are not in .*train2017: train2.png"):
        dataset(folder)


@pytest.mark.parametrize("name", ["\ud800x.png", "\udcffx.png", "a" * 5000 + ".png", "a/../.."])
def test_a_name_that_no_file_can_have_is_a_missing_image(spoil, name):
    changed = spoil(lambda c: c["images"][0].update(file_name=name))
    with pytest.raises(InputError, match=r"1 of 2 images of .* are not in|file name"):
        dataset(changed)


def test_a_name_in_bytes_of_no_encoding_is_read(spoil):
    """cv2.imread ends the process on it."""
    folder = spoil(lambda c: c["images"][0].update(file_name="\udcff.png"))
    (folder / "train2017/train1.png").rename(folder / "train2017/\udcff.png")
    assert dataset(folder).load_image(0).shape == (30, 40, 3)


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_unreadable_image_is_named(folder, content):
    file = folder / "train2017" / "train2.png"
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"cannot read image {file}"):
        dataset(folder).pull_item(1)


def test_image_of_another_size_is_refused(spoil):
    images = dataset(spoil(lambda c: c["images"][0].update(width=50)))
    with pytest.raises(InputError, match=r"train1\.png is 40x30, .*\.json says 50x30"):
        images.pull_item(0)


def test_exif_rotation_does_not_move_the_image_under_its_boxes(spoil):
    folder = spoil(lambda c: c["images"][0].update(file_name="turned.jpg"))
    pixels = np.zeros((30, 40, 3), dtype=np.uint8)
    pixels[:, 20:] = 255  # right half white
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, 6, 0, 0)  # orientation 6
    exif = b"Exif\0\0" + tiff
    marked = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    (folder / "train2017" / "turned.jpg").write_bytes(marked)
    assert cv2.imread(str(folder / "train2017" / "turned.jpg")).shape == (40, 30, 3)  # cv2 turns it
    image = dataset(folder).load_image(0)
    assert image.shape == (30, 40, 3)
    assert image[:, 25:].min() > 200 > 50 > image[:, :15].max()


def test_cache_holds_the_same_images_and_writes_no_file(folder):
    before = sorted(folder.rglob("*"))
    cached, plain = dataset(folder, cache=True), dataset(folder)
    assert sorted(folder.rglob("*")) == before
    (folder / "train2017" / "train1.png").unlink()
    with pytest.raises(InputError):
        plain.pull_item(0)
    assert cached.pull_item(0)[0].shape == (60, 80, 3)
    np.testing.assert_array_equal(cached.pull_item(1)[0], plain.pull_item(1)[0])
    cached.pull_item(1)[0][:] = 0  # augmentation works on a copy
    np.testing.assert_array_equal(cached.pull_item(1)[0], plain.pull_item(1)[0])


def test_cache_follows_a_change_of_the_data(folder):
    """YOLOX's cache file would still give the old image."""
    dataset(folder, cache=True)
    white = np.full((30, 40, 3), 255, dtype=np.uint8)
    cv2.imwrite(str(folder / "train2017" / "train1.png"), white)
    assert dataset(folder, cache=True).pull_item(0)[0].min() == 255


def test_cache_that_does_not_fit_is_refused(folder, monkeypatch):
    free_bytes(monkeypatch, 2 * 60 * 80 * 3)
    with pytest.raises(InputError, match=r"--cache needs 0\.0 GiB for the 2 images"):
        dataset(folder, cache=True)


def test_cache_without_shared_memory_is_refused(folder, monkeypatch):
    def refuse(length):
        raise OSError("no memory")

    monkeypatch.setattr(shared_images, "_shared_bytes", refuse)
    with pytest.raises(InputError, match="--cache: the system grants no shared memory"):
        dataset(folder, cache=True)
    images = dataset(folder)
    images.keep_images()  # what nobody asked for is done without
    assert images.pull_item(0)[0].shape == (60, 80, 3)


def test_kept_images_are_read_once(folder, monkeypatch):
    """A file that changes during a run is not noticed: a run is about one data set."""
    free_bytes(monkeypatch, 1 << 30)
    images, plain = dataset(folder), dataset(folder).pull_item(0)[0]
    images.keep_images()
    assert images.kept.stored == 0
    images.pull_item(0)
    assert images.kept.stored == 1
    (folder / "train2017" / "train1.png").unlink()
    images.pull_item(0)[0][:] = 0  # augmentation works on a copy
    np.testing.assert_array_equal(images.pull_item(0)[0], plain)


def test_kept_images_take_a_quarter_of_the_free_memory_at_most(folder, monkeypatch):
    length = 60 * 80 * 3
    free_bytes(monkeypatch, 4 * length + 4)
    images = dataset(folder)
    images.keep_images()
    for index in range(2):
        images.pull_item(index)
    assert (images.kept.places, images.kept.stored) == (1, 1)
    images.keep_images()
    free_bytes(monkeypatch, 2 * length + 2)  # training has taken some meanwhile
    images.pull_item(0)
    assert images.kept.stored == 1
    images.keep_images()
    free_bytes(monkeypatch, length)  # a quarter of what was free at the start is left alone
    images.pull_item(0)
    assert images.kept.stored == 0


def test_can_be_sent_to_a_worker(folder):
    images = dataset(folder)
    images.keep_images()
    copy = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(copy.pull_item(0)[0], images.pull_item(0)[0])
