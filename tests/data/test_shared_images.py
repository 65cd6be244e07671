import multiprocessing
import pickle
import sys

import numpy as np
import pytest

from yolox_attn.data import shared_images
from yolox_attn.data.shared_images import SharedImages

SIZES = [(4, 5), (7, 3), (2, 2)]  # 60, 63 and 12 bytes
EVERYTHING = 135


def image(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (*SIZES[index], 3), dtype=np.uint8)


def test_images_come_back_as_they_were_stored() -> None:
    images = SharedImages(SIZES, limit=EVERYTHING)
    assert [images.get(index) for index in range(3)] == [None, None, None]
    for index in (2, 0, 1):
        images.put(index, image(index))
    assert images.stored == 3
    for index in range(3):
        np.testing.assert_array_equal(images.get(index), image(index))


def test_what_a_caller_writes_stays_his() -> None:
    images = SharedImages(SIZES, limit=EVERYTHING)
    given = image(0)
    images.put(0, given)
    given[:] = 0
    taken = images.get(0)
    assert taken is not None
    taken[:] = 0
    np.testing.assert_array_equal(images.get(0), image(0))


@pytest.mark.parametrize(("limit", "places"), [(59, 0), (60, 1), (122, 1), (123, 2), (135, 3)])
def test_the_limit_is_kept(limit: int, places: int) -> None:
    images = SharedImages(SIZES, limit=limit)
    for index in range(3):
        images.put(index, image(index))
    assert (images.places, images.stored) == (places, places)
    assert [images.get(index) is not None for index in range(3)] == [i < places for i in range(3)]


def test_no_image_takes_from_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    images = SharedImages(SIZES, limit=EVERYTHING, reserve=1000)
    for free, stored in ((1059, 0), (1060, 1)):
        monkeypatch.setattr(shared_images, "free_memory", lambda free=free: free)
        images.put(0, image(0))
        assert images.stored == stored


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_stores_for_all() -> None:
    images = SharedImages(SIZES, limit=EVERYTHING)
    images.put(0, image(0))

    def read_and_store() -> None:
        if (seen := images.get(0)) is not None:
            images.put(1, np.roll(seen.reshape(-1), 1)[:1].repeat(63).reshape(7, 3, 3))

    worker = multiprocessing.get_context("fork").Process(target=read_and_store)
    worker.start()
    worker.join(60)
    stored = images.get(1)
    assert stored is not None
    assert (stored == image(0).reshape(-1)[-1]).all()


def test_the_first_to_store_an_image_decides() -> None:
    images = SharedImages(SIZES, limit=EVERYTHING)
    images.put(0, image(0))
    images.put(0, image(0) + 1)
    np.testing.assert_array_equal(images.get(0), image(0))


def test_an_image_of_another_size_than_was_said_is_not_stored() -> None:
    images = SharedImages(SIZES, limit=EVERYTHING)
    images.put(0, image(1))
    assert images.get(0) is None
    images.put(0, image(0))
    assert images.stored == 1


def test_a_copy_in_a_process_that_was_not_forked_holds_nothing() -> None:
    images = SharedImages(SIZES, limit=EVERYTHING)
    images.put(0, image(0))
    copy = pickle.loads(pickle.dumps(images))
    copy.put(0, image(0))
    assert (copy.places, copy.stored, copy.get(0)) == (0, 0, None)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS heeds no limit on the address space")
def test_memory_that_cannot_be_mapped_is_done_without() -> None:
    images = SharedImages([(1 << 23, 1 << 23)], limit=1 << 60)  # more than an address can say
    images.put(0, image(0))
    assert (images.places, images.get(0)) == (0, None)
