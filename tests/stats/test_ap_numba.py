import sys

import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.ap_numba import compiled_loops


def test_missing_numba_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled_loops.cache_clear()
    with pytest.raises(InputError, match=r"\[fast\]"):
        compiled_loops()


def test_the_loops_are_compiled_once():
    pytest.importorskip("numba")
    compiled_loops.cache_clear()
    assert compiled_loops() is compiled_loops()
