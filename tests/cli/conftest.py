from collections.abc import Iterator

import pytest
from judged_runs import study  # noqa: F401 - a fixture
from loguru import logger
from run_folders import write_run  # noqa: F401 - a fixture
from trained_study import trained  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def one_thread_a_command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands take all cores unless they are told otherwise, and log to the test's stderr."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    logger.remove()
