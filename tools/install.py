"""Everything in .venv, from nothing: `python3 tools/install.py`. Seconds when nothing is to do.

Needs Python 3.10 or newer and a C++ compiler (yolox 0.3.0 compiles a small extension when it is
installed). By default uv does the work: one on the PATH, or one put into .venv by pip. `--pip`
does the same with pip alone. Nothing outside the repository's .venv is changed.
"""

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NoReturn

if sys.version_info < (3, 10):  # noqa: UP036 - older ones get this line instead of a traceback
    sys.exit(
        f"error: yolox_attn needs Python 3.10 or newer, this is {platform.python_version()}; "
        "fix it with: python3.12 tools/install.py, or any newer Python you have"
    )

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "yolox_attn-installed"
OLDEST_UV = (0, 9, 0)  # the oldest that was tried with pyproject.toml's [tool.uv]
CHECK = "from yolox_attn.requirements import check_requirements as check; check()"
COMPILER_COMMANDS = {
    "apt-get": "sudo apt-get install g++ python3-dev",
    "dnf": "sudo dnf install gcc-c++ python3-devel",
    "pacman": "sudo pacman -S gcc",
    "zypper": "sudo zypper install gcc-c++ python3-devel",
    "apk": "sudo apk add g++ python3-dev",
}


def main(argv: list[str] | None = None) -> int:
    """Install, check, and say how to go on; 0 when the environment works."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pip", action="store_true", help="use pip alone, without uv")
    args = parser.parse_args(argv)
    if is_up_to_date():
        print(f"{VENV} is up to date", flush=True)
        return 0
    started = time.monotonic()
    check_compiler()
    STAMP.unlink(missing_ok=True)
    if args.pip:
        install_with_pip()
    else:
        install_with_uv()
    say("checking that torch, torchvision and yolox work together")
    run(PYTHON, "-c", f"{CHECK}; import torch, torchvision, yolox.utils, yolox_attn")
    STAMP.write_text(fingerprint(), encoding="utf-8")
    say(f"ready after {time.monotonic() - started:.0f} s; go on with: {activate_command()}")
    return 0


def is_up_to_date() -> bool:
    """Whether this script finished here, for this pyproject.toml, and the result still works."""
    if not STAMP.exists() or STAMP.read_text(encoding="utf-8") != fingerprint():
        return False
    command = [str(PYTHON), "-c", CHECK]
    check = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True)
    return check.returncode == 0


def fingerprint() -> str:
    """Changes when the metadata changes or the repository moves (a venv cannot be moved)."""
    text = (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
    return hashlib.sha256(text).hexdigest()


def install_with_uv() -> None:
    """Let uv resolve and install what pyproject.toml asks for, keeping what it does not know."""
    uv = find_uv()
    if not PYTHON.exists() and uv:
        say(f"making {VENV} with {uv}")
        run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, VENV)
    elif not PYTHON.exists():
        make_venv()
    if not uv:
        say("getting uv")
        run(PYTHON, "-m", "pip", "install", "--quiet", f"uv>={'.'.join(map(str, OLDEST_UV))}")
        uv = str(SCRIPTS / "uv")
    say("installing torch, yolox 0.3.0 and the rest (several GB at the first time)")
    # As pip does: where Python may not write bytecode, each command would compile torch anew.
    run(uv, "sync", "--inexact", "--compile-bytecode", "--python", PYTHON)


def install_with_pip() -> None:
    """Install what pyproject.toml asks for; yolox comes last, because its build imports torch."""
    if not PYTHON.exists():
        make_venv()
    pip = (PYTHON, "-m", "pip", "install")
    say("renewing pip and setuptools")
    run(*pip, "--quiet", "--upgrade", "pip>=25.1", "setuptools>=77")  # 25.1 knows --group
    say("installing torch and the rest (several GB at the first time)")
    run(*pip, "--no-build-isolation", "--group", "dev", "--editable", ".")
    say("building yolox 0.3.0")
    run(*pip, "--no-build-isolation", "--no-deps", "--group", "host")


def make_venv() -> None:
    """Make .venv with the Python that runs this, pip included."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        fail(
            "this Python cannot make virtual environments (no venv or ensurepip)",
            "sudo apt-get install python3-venv" if shutil.which("apt-get") else "pip install uv",
        )
    say(f"making {VENV}")
    run(sys.executable, "-m", "venv", VENV)


def find_uv() -> str | None:
    """Return a uv that is new enough, from the PATH or from .venv."""
    for uv in (shutil.which("uv"), shutil.which("uv", path=str(SCRIPTS))):
        if uv:
            answer = subprocess.run([uv, "--version"], capture_output=True, text=True)
            version = re.match(r"uv (\d+)\.(\d+)\.(\d+)", answer.stdout)
            if version and tuple(map(int, version.groups())) >= OLDEST_UV:
                return uv
    return None


def check_compiler() -> None:
    """Refuse before anything is downloaded when yolox's extension could not be compiled."""
    if os.name == "nt" or any(VENV.glob("lib/python*/site-packages/yolox-0.3.0.dist-info")):
        return  # yolox compiles nothing on Windows, or is built already
    compiler = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()
    fix = compiler_command(platform.system())
    if not shutil.which(compiler[0]):
        fail(f"yolox 0.3.0 needs a C++ compiler, and there is no {compiler[0]} here", fix)
    include = sysconfig.get_path("include")
    command = [*compiler, f"-I{include}", "-x", "c++", "-fsyntax-only", "-"]
    source = "#include <Python.h>\n#include <vector>\n"
    tried = subprocess.run(command, input=source, capture_output=True, text=True)
    if tried.returncode:
        reason = (tried.stderr.strip().splitlines() or ["no message"])[0]
        fail(f"{compiler[0]} cannot compile a Python extension ({reason})", fix)


def compiler_command(system: str) -> str:
    """The command that installs a compiler on a system, as `platform.system` calls it."""
    if system == "Darwin":
        return "xcode-select --install"
    known = [text for name, text in COMPILER_COMMANDS.items() if shutil.which(name)]
    return known[0] if known else "your system's package manager: g++ and Python's headers"


def clean_environment() -> dict[str, str]:
    """The caller's environment less what would point Python, pip or uv to another place."""
    others = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "PIP_USER", "PIP_TARGET"}
    kept = {name: value for name, value in os.environ.items() if name not in others}
    return kept | {
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def run(*command: str | Path) -> None:
    """Run `command` in the repository root and stop with its exit status if it fails."""
    words = [str(word) for word in command]
    status = subprocess.run(words, cwd=ROOT, env=clean_environment()).returncode
    if status:
        print(f"error: this failed, see above: {' '.join(words)}", file=sys.stderr)
        sys.exit(status)


def activate_command() -> str:
    """The line a person types next."""
    return str(SCRIPTS / "activate") if os.name == "nt" else ". .venv/bin/activate"


def say(text: str) -> None:
    """Print one line of progress, at once."""
    print(f"install: {text}", flush=True)


def fail(problem: str, fix: str) -> NoReturn:
    """Stop with status 1 and one line: what is wrong, and the command that fixes it."""
    sys.exit(f"error: {problem}; fix it with: {fix}")


if __name__ == "__main__":
    sys.exit(main())
