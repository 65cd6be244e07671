from argparse import Namespace
from types import SimpleNamespace

import pytest

from yolox_attn.core.record import describe_config, describe_versions, precision_of, wandb_options


class Own:
    pass


def test_settings_become_json() -> None:
    exp = SimpleNamespace(a=(1, 2), b={"dark3": Own}, c=None, _hidden=1, model=object(), d="x")
    assert describe_config(exp) == {
        "a": [1, 2], "b": {"dark3": f"{__name__}:Own"}, "c": None, "d": "x"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "precision"),
    [({}, "fp32"), ({"fp16": True}, "fp16"), ({"fp16": False, "bf16": True}, "bf16")],
)
def test_the_hosts_arguments_have_no_bf16(flags: dict[str, bool], precision: str) -> None:
    assert precision_of(Namespace(**flags)) == precision


def test_wandb_options_lose_their_prefix_and_nothing_else() -> None:
    assert wandb_options(["wandb-name", "band", "max_epoch", "3"]) == {"name": "band"}


def test_versions_name_the_host() -> None:
    assert describe_versions()["yolox"] == "0.3.0"
