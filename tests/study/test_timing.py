import io
import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from planned import with_test_split, write_exp

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.probe import Probe
from yolox_attn.study.timing import at_mean, main, measure, whole_step
from yolox_attn.study.variants import planned_variants


@pytest.fixture
def cam(tmp_path: Path) -> PlannedVariant:
    return planned_variants(write_exp(tmp_path, "base"), ["cam"], [])[1]


def test_what_is_timed_is_what_the_run_will_do(
    cam: PlannedVariant, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    overrides = ("eval_interval", "1", "data_num_workers", "1")
    training = Training(str(drawn), batch_size=4, overrides=overrides)
    timed = measure(cam, training, "val", "cpu", 0.1)
    assert timed.steps == 4 * 3  # epochs, and steps of 12 images by 4
    assert timed.images == 4 * 5  # evaluated after each epoch
    assert 0 < timed.step < 60
    assert 0 < timed.image < 60
    assert timed.startup > 0
    assert (timed.memory or 0) > 1e8
    assert timed.device.startswith("cpu")
    assert set(tmp_path.rglob("*")) == before


def test_accumulated_batches_are_fewer_steps_and_the_test_split_is_evaluated_once_more(
    cam: PlannedVariant,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Asked and answered as by the process of a probe."""
    data = with_test_split(drawn, tmp_path / "data")
    training = Training(str(data), batch_size=4, accumulate=3)
    request = json.dumps([asdict(cam), asdict(training), "test", "cpu"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{request}\ngo\n"))
    main(budget=0)
    timed = Probe(**json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert (timed.steps, timed.images) == (4, 5 + 5)


def test_a_step_costs_what_it_does_at_the_mean_of_its_sizes() -> None:
    """Where a second is a pixel, that is the mean of the pixels."""
    sizes = [(32, 32), (64, 64), (96, 96)]
    mean = (32**2 + 64**2 + 96**2) / 3
    assert at_mean(sizes, small=32**2, large=96**2) == pytest.approx(mean)
    assert at_mean([(64, 64)] * 3, small=2.0, large=2.0) == 2.0


def test_loading_next_to_the_step_costs_what_is_longer() -> None:
    assert whole_step(2.0, 3.0, workers=0) == 5.0
    assert whole_step(2.0, 3.0, workers=1) == 3.0
    assert whole_step(4.0, 3.0, workers=1) == 4.0


def test_the_times_hold_their_loading(
    cam: PlannedVariant, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = CocoDetection.load_resized_img  # also of those that are kept in memory

    def slowly(self: CocoDetection, index: int) -> object:
        time.sleep(0.02)
        return load(self, index)

    monkeypatch.setattr(CocoDetection, "load_resized_img", slowly)
    timed = measure(cam, Training(str(drawn), batch_size=4), "val", "cpu", 0)
    assert timed.image >= 0.02
    assert timed.step >= 4 * 0.02
