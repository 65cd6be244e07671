from judged_runs import study  # noqa: F401 - a fixture
from run_folders import write_run  # noqa: F401 - a fixture
from trained_study import trained  # noqa: F401 - a fixture
