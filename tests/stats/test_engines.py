import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats import weighted_ap as engines
from yolox_attn.stats.weighted_ap import best_engine, compiled_engine, cores, numpy_engine


def test_the_best_engine_is_numbas_where_it_works():
    pytest.importorskip("numba")
    assert best_engine().name == "numba"


def test_threads_are_the_cores_unless_given():
    assert numpy_engine().threads == cores() >= 1
    assert numpy_engine(3).threads == 3


def test_without_numba_the_engine_is_numpy(monkeypatch):
    def missing():
        raise InputError("no numba")

    monkeypatch.setattr(engines, "compiled_loops", missing)
    assert best_engine().name == "numpy"
    with pytest.raises(InputError, match="no numba"):
        compiled_engine()
