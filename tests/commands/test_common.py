import argparse
from pathlib import Path

import pytest
from loguru import logger

from yolox_attn.cli.common import add_experiment_options
from yolox_attn.commands.common import build_exp, name_run, prepare_process
from yolox_attn.errors import InputError


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_experiment_options(parser)
    return parser.parse_args(["-n", "yolox-nano-se", *words])


def test_overrides_win_over_the_data_and_the_data_over_the_experiment(drawn: Path) -> None:
    exp = build_exp(parse("--data", str(drawn)))
    assert (exp.num_classes, exp.data_dir) == (5, str(drawn))
    assert build_exp(parse("--data", str(drawn), "num_classes", "9")).num_classes == 9


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        ([], "YOLOX_outputs/yolox_nano_se"),
        (["--seed", "4"], "YOLOX_outputs/yolox_nano_se/seed4"),
        (["--seed", "4", "-expn", "mine"], "YOLOX_outputs/mine"),
        (["--seed", "4", "output_dir", "else"], "else/yolox_nano_se/seed4"),
    ],
)
def test_where_a_run_goes(words: list[str], folder: str) -> None:
    args = parse(*words)
    exp = build_exp(args)
    assert name_run(exp, args) == Path(folder)
    assert exp.seed == (4 if "--seed" in words else None)


def test_an_impossible_setting_is_refused_before_anything_is_built() -> None:
    with pytest.raises(InputError, match="multiples of 32"):
        build_exp(parse("test_size", "100,100"))


def test_no_name_moves_the_cursor_from_a_log() -> None:
    prepare_process()
    lines: list[str] = []
    number = logger.add(lambda line: lines.append(str(line)), format="{message}")
    logger.info("AP of class \x1b[2Jred\r\n40.1 \u7ea2")
    logger.remove(number)
    assert lines == ["AP of class \\x1b[2Jred\\r\n40.1 \u7ea2\n"]
