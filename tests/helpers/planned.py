"""A plan as `study plan` makes it, and experiments to plan, for the tests that need them."""

import json
import shutil
from pathlib import Path
from typing import Any

from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import EDITION
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.planner import PlanRequest

EXP = """
from yolox_attn.exp import AttentionExp

class Exp(AttentionExp):
    def __init__(self):
        super().__init__()
        self.depth, self.width, self.depthwise = 0.33, 0.125, True
        self.input_size = self.test_size = (64, 64)
        self.random_size = (1, 3)
        self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 4, 1, 0
        self.data_num_workers = 0
"""


def write_exp(folder: Path, name: str, *lines: str, methods: str = "") -> str:
    """Write the smallest detector as the Exp file `name`, with more lines in its __init__."""
    more = "".join(f"        {line}\n" for line in lines)
    path = folder / f"{name}.py"
    path.write_text(EXP + more + methods)
    return str(path)


def with_test_split(data: Path, folder: Path) -> Path:
    """Copy `data` to `folder`, its val images also as a test split, each two of them a scene."""
    shutil.copytree(data, folder)
    content = json.loads((folder / "annotations/instances_val2017.json").read_text())
    for number, image in enumerate(content["images"]):
        image["scene"] = number // 2
    (folder / "annotations/instances_test2017.json").write_text(json.dumps(content))
    shutil.copytree(folder / "val2017", folder / "test2017")
    return folder


def write_groups(data: Path, path: Path) -> Path:
    """Write a csv file that puts each second val image of `data` into one of two groups."""
    images = json.loads((data / "annotations/instances_val2017.json").read_text())["images"]
    rows = [f"{image['file_name']},{number % 2}" for number, image in enumerate(images)]
    path.write_text("\n".join(["image,group", *rows]))
    return path


def make_request(baseline: str, data: Path, **changes: Any) -> PlanRequest:
    """A request for a study that is not timed; keywords of Training go into its training."""
    fields = Training.__dataclass_fields__
    training = {key: changes.pop(key) for key in list(changes) if key in fields}
    changes.setdefault("timed", False)
    return PlanRequest(baseline, Training(**{"data": str(data), **training}), **changes)


def make_plan(*, blocks: tuple[str, ...] = ("cam",), **changes: Any) -> Plan:
    """A study of the drawn set: its baseline, a placebo, and `blocks`, two seeds."""
    baseline = PlannedVariant("yolox_demo", "baseline", None, "yolox-demo")
    placebo = PlannedVariant(
        "placebo", "control", None, "yolox-demo", overrides=("attention", "placebo")
    )
    variants = [
        PlannedVariant(f"yolox_demo_{block}", "variant", None, f"yolox-demo-{block}")
        for block in blocks
    ]
    given: dict[str, Any] = {
        "variants": (baseline, placebo, *variants),
        "seeds": (0, 1),
        "training": Training(data=None, overrides=("max_epoch", "2")),
        "split": "val",
        "truth": "val.json",
        "truth_sha256": "ab" * 32,
        "terms": Terms(),
        "created": "2026-01-02T03:04:05+00:00",
        "edition": EDITION,
    }
    return Plan(**(given | changes))
