"""What must be installed with this package, and the command that fixes what is not.

pip cannot see to all of it: yolox 0.3.0 pins packages that today's Python cannot install, so it is
no ordinary dependency, and a torchvision built for another torch installs without complaint.
"""

import sys
from importlib import metadata, util
from pathlib import Path

from yolox_attn.errors import InputError

YOLOX_VERSION = "0.3.0"
PACKAGES = (
    *("jinja2", "loguru", "matplotlib", "msgspec", "numpy", "psutil", "pycocotools", "scipy"),
    *("tabulate", "tensorboard", "thop", "torch", "torchvision", "tqdm"),
)
MODULES = {name: name for name in PACKAGES}  # module -> the distribution that brings it
MODULES |= {"cv2": "opencv-python-headless", "PIL": "pillow", "yaml": "pyyaml"}
ONLY_IN_NEWER_YOLOX = Path("utils", "mlflow_logger.py")  # its repository still says "0.3.0"


def check_requirements() -> None:
    """Check that what the commands import is there and fits.

    Raises:
        InputError: something is missing or does not fit; the line ends with a command that does.
    """
    missing = sorted(name for module, name in MODULES.items() if not util.find_spec(module))
    if missing:
        raise InputError(f"not installed: {', '.join(missing)}; {fix(*missing)}")
    _check_yolox()


def fix(*packages: str) -> str:
    """Return "fix it with: COMMAND" for this environment."""
    root = Path(__file__).resolve().parents[1]
    if (root / "tools" / "install.py").exists() and Path(sys.prefix) == root / ".venv":
        return f"fix it with: python3 {root / 'tools' / 'install.py'}"
    return f"fix it with: {sys.executable} -m pip install {' '.join(packages)}"


def check_torchvision() -> None:
    """Check that torch and torchvision fit; it imports both, which takes seconds.

    Raises:
        InputError: they do not; the line ends with a command that helps.
    """
    try:
        import torchvision  # noqa: F401 - registers its operators with torch, or fails to
    except (RuntimeError, ImportError, OSError) as error:
        versions = (
            f"torchvision {metadata.version('torchvision')}, torch {metadata.version('torch')}"
        )
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"torchvision does not fit torch ({versions}: {reason}); "
            f"{fix('--upgrade', '--force-reinstall', 'torch', 'torchvision')}"
        ) from error


def _check_yolox() -> None:
    command = fix(
        "--no-deps", "--no-build-isolation", "--force-reinstall", f"yolox=={YOLOX_VERSION}"
    )
    spec = util.find_spec("yolox")
    if spec is None or spec.origin is None:
        raise InputError(f"yolox {YOLOX_VERSION} is not installed; {command}")
    try:
        version = metadata.version("yolox")
    except metadata.PackageNotFoundError:
        version = "an unknown version"
    if version == YOLOX_VERSION and (Path(spec.origin).parent / ONLY_IN_NEWER_YOLOX).exists():
        version = "a development version"
    if version != YOLOX_VERSION:
        raise InputError(
            f"yolox {YOLOX_VERSION} is needed, {Path(spec.origin).parent} is {version} "
            f"(it assigns labels in another way, so that its APs cannot be compared); {command}"
        )
