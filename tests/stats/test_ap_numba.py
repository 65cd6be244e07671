import sys

import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.ap_numba import compiled_loops


def test_missing_numba_is_reported_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(InputError, match=r"\[fast\]"):
        compiled_loops.__wrapped__()  # past the cache


def test_the_loops_are_compiled_once():
    pytest.importorskip("numba")
    assert compiled_loops() is compiled_loops()
