import pytest
from judged_runs import study  # noqa: F401 - a fixture
from run_folders import write_run  # noqa: F401 - a fixture
from trained_study import trained  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def one_thread_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take all cores of the machine unless they are told otherwise."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
