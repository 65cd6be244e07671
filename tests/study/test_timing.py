import time
from dataclasses import replace
from pathlib import Path

import pytest
from planned import with_test_split, write_exp

from yolox_attn.study import timing
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.sources import planned_variants
from yolox_attn.study.timing import measure
from yolox_attn.study.variants import build_exp


@pytest.fixture
def cam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlannedVariant:
    monkeypatch.setattr(timing, "BUDGET", 0.2)
    return planned_variants(write_exp(tmp_path, "base"), ["cam"], [])[1]


@pytest.fixture
def training(drawn: Path) -> Training:
    return Training(str(drawn), batch_size=4)


def test_what_is_timed_is_what_the_run_will_do(
    cam: PlannedVariant, training: Training, tmp_path: Path
) -> None:
    folder = tmp_path / "nothing"
    training = replace(training, overrides=("eval_interval", "1"))
    found = measure(cam, training, "val", "cpu", str(folder))
    assert found.steps == 4 * 3  # epochs, and steps of 12 images by 4
    assert found.images == 4 * 5  # evaluated after each epoch
    assert 0 < found.step < 5
    assert 0 < found.image < 5
    assert found.startup > 0
    assert (found.memory or 0) > 1e8
    assert found.device.startswith("cpu")
    assert not folder.exists()


def test_the_test_split_is_evaluated_once_more(
    cam: PlannedVariant, drawn: Path, tmp_path: Path
) -> None:
    training = Training(str(with_test_split(drawn, tmp_path / "data")), batch_size=4)
    assert measure(cam, training, "test", "cpu", str(tmp_path)).images == 5 + 5


def test_accumulated_batches_are_fewer_and_longer_steps(
    cam: PlannedVariant, drawn: Path, tmp_path: Path
) -> None:
    training = Training(str(drawn), batch_size=4, accumulate=3)
    assert measure(cam, training, "val", "cpu", str(tmp_path)).steps == 4


def test_a_step_costs_what_it_does_at_the_mean_of_its_sizes(
    cam: PlannedVariant, training: Training, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A clock whose seconds are the pixels of a step tells the mean of the sizes, 32, 64, 96."""
    monkeypatch.setattr(timing, "_step_seconds", lambda trainer, size, most=1: size[0] * size[1])
    monkeypatch.setattr(timing, "_batch_seconds", lambda trainer, workers: 0.0)
    mean = (32**2 + 64**2 + 96**2) / 3
    found = measure(cam, training, "val", "cpu", str(tmp_path)).step
    assert found == pytest.approx(mean, rel=0.1)


@pytest.mark.parametrize(("workers", "told"), [(0, 5.0), (1, 3.0)])
def test_loading_beside_the_step_costs_what_is_longer(
    cam: PlannedVariant,
    drawn: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    workers: int,
    told: float,
) -> None:
    monkeypatch.setattr(timing, "_step_seconds", lambda trainer, size, most=1: 2.0)
    monkeypatch.setattr(timing, "_batch_seconds", lambda trainer, workers: 3.0)
    training = Training(str(drawn), 4, overrides=("data_num_workers", str(workers)))
    assert measure(cam, training, "val", "cpu", str(tmp_path)).step == told


def test_the_time_of_an_image_holds_its_loading(
    cam: PlannedVariant, training: Training, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "_mean_step", lambda trainer: 0.0)
    quick = measure(cam, training, "val", "cpu", str(tmp_path)).image
    images = type(build_exp(cam, training).get_eval_loader(4, False).dataset)
    load = images.load_image

    def slowly(self: object, index: int) -> object:
        time.sleep(0.1)
        return load(self, index)

    monkeypatch.setattr(images, "load_image", slowly)
    assert measure(cam, training, "val", "cpu", str(tmp_path)).image > max(0.1, quick)
