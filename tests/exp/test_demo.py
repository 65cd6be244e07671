from pathlib import Path

import pytest

from yolox_attn.exp import DemoExp, apply_overrides, load_exp, use_data

EXPS = Path(__file__).resolve().parents[2] / "exps" / "demo"


@pytest.fixture
def cache(drawn, monkeypatch):
    """Stand in for the full set with a small one; return a list that grows with each use."""
    uses = []
    monkeypatch.setattr("yolox_attn.exp.demo.drawn_set", lambda: uses.append(1) or drawn)
    return uses


def test_nothing_is_drawn_before_images_are_loaded(cache, drawn):
    exp = DemoExp()
    exp.get_model()
    assert cache == []
    exp.data_num_workers = 0
    images, labels, *_ = next(iter(exp.get_data_loader(4, is_distributed=False)))
    assert images.shape == (4, 3, *exp.input_size)
    assert labels[..., 0].max() < exp.num_classes
    assert exp.data_dir == str(drawn)
    exp.get_eval_loader(4, is_distributed=False)
    assert cache == [1]


@pytest.mark.parametrize("way", ["override", "--data"])
def test_own_data_wins(cache, drawn, tmp_path, way):
    (tmp_path / "mine").symlink_to(drawn)
    exp = DemoExp()
    if way == "--data":
        use_data(exp, tmp_path / "mine")
    else:
        apply_overrides(exp, ["data_dir", str(tmp_path / "mine")])
    assert exp.get_eval_loader(4, is_distributed=False).dataset.data_dir == str(tmp_path / "mine")
    assert cache == []


def test_every_step_costs_the_same():
    exp = DemoExp()
    assert exp.random_resize(None, 0, 0, is_distributed=False) == exp.input_size


@pytest.mark.parametrize("file", sorted(EXPS.glob("*.py")), ids=lambda file: file.stem)
def test_files_and_names_are_the_same_experiments(file):
    named = load_exp(name=file.stem)
    loaded = load_exp(str(file))
    assert isinstance(loaded, DemoExp)
    assert vars(loaded) == vars(named)
    assert loaded.attention == (file.stem.split("_")[2:] or ["none"])[0]
