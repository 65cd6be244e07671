"""Who may import whom, read from the source: a module imports only from the rows below its own."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from yolox_attn.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "yolox_attn"

ROWS = [  # from the bottom up; the parts of one row stand side by side and do not import each other
    {"__init__", "errors", "console", "names"},
    {"signals"},
    {"launched", "machine", "requirements", "runs"},
    {"coco"},
    {"blocks", "device", "seed", "stats"},
    {"cost"},
    {"models", "data", "evaluators"},
    {"core"},
    {"exp"},
    {"report", "detection", "export"},
    {"study"},
    {"commands"},
    {"cli"},
]
OUTSIDE: dict[str, set[str]] = {  # what a part may import from outside; all others: anything
    "__init__": set(),
    "errors": set(),
    "console": set(),
    "names": set(),
    "cli": set(),
    "signals": set(),
    "launched": set(),
    "machine": {"psutil"},
    "requirements": {"torchvision"},  # only to see whether it can be imported
    "runs": {"msgspec"},
    "coco": {"numpy", "pycocotools", "ultrafast_pycocotools"},
    "blocks": {"torch"},
    "device": {"torch"},
    "seed": {"torch", "numpy", "cv2"},
    "stats": {"numpy", "scipy"},
    "cost": {"torch"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))
ENTRY_POINTS = sorted(path for path in (ROOT / "tools").glob("*.py") if path.name != "install.py")
EXPERIMENTS = sorted((ROOT / "exps").rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to: "yolox_attn.blocks.se" -> blocks."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def row_of(part: str) -> int:
    rows = [number for number, row in enumerate(ROWS) if part in row]
    assert rows, f"tests/test_imports.py does not know the part {part!r}: give it a row"
    return rows[0]


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that the file imports anywhere, lazily or not: dotted, absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: relative import"
            if node.module == "yolox_attn":
                yield from (own_name(alias.name) for alias in node.names)
            else:
                yield node.module or ""


def own_name(name: str) -> str:
    """Return what `from yolox_attn import name` imports: a part, or a value of __init__."""
    is_part = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()
    return f"yolox_attn.{name}" if is_part else "yolox_attn"


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the strings that are code: not the docstrings."""
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_downwards(path: Path) -> None:
    part = part_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for module in imports(path):
        if module.split(".")[0] == "yolox_attn" and part_of(module) != part:
            assert row_of(part_of(module)) < row_of(part), f"{part} must not import {module}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_each_part_imports_only_what_its_row_knows(path: Path) -> None:
    part = part_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    known = OUTSIDE.get(part)
    outside = {module.split(".")[0] for module in imports(path)}
    outside -= {"yolox_attn", *sys.stdlib_module_names}
    assert not outside & {"tests", "tools", "exps", "benchmarks"}
    assert known is None or outside <= known


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=relative)
def test_an_entry_point_only_calls_the_command_line(path: Path) -> None:
    assert set(imports(path)) == {"sys", "yolox_attn.cli"}
    assert len(path.read_text().splitlines()) <= 10


def test_the_installer_needs_only_the_standard_library() -> None:
    names = {module.split(".")[0] for module in imports(ROOT / "tools" / "install.py")}
    assert names <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=relative)
def test_an_experiment_imports_only_the_base_class(path: Path) -> None:
    assert set(imports(path)) <= {"yolox_attn.exp", "torch", "os", "pathlib"}


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path != PACKAGE / "device.py"], ids=relative
)
def test_only_device_spells_cuda(path: Path) -> None:
    """All others take a device as a value; what a help text says is no code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in strings(tree) if str(node.value).split(":")[0] == "cuda"]
    nodes += [node for node in ast.walk(tree) if getattr(node, "attr", None) == "cuda"]
    lines = sorted(node.lineno for node in nodes)
    assert not lines, f"{relative(path)} spells cuda in line {lines}; see device.py"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("yolox_attn.runs", {"torch", "numpy", "yolox"}),
        (", ".join(f"yolox_attn.cli.{name}" for name in COMMANDS), {"torch", "numpy", "yolox"}),
        ("benchmarks.simulation", {"torch", "yolox", "pycocotools"}),
    ],
)
def test_light_parts_load_nothing_heavy(modules: str, heavy: set[str]) -> None:
    code = f"import sys, {modules}; print(*sorted({heavy!r} & sys.modules.keys()))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout == "\n"
