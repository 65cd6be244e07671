from collections.abc import Callable
from pathlib import Path

from yolox.tools import train as yolox_tool

from yolox_attn.cli.train import make_parser
from yolox_attn.core.options import TrainOptions, train_options, wandb_words


def test_our_own_command_line() -> None:
    line = (
        "-f e.py -expn tiny -b 8 --accumulate 2 --bf16 --device cpu -c w.pth --resume -e 3 "
        "--save-steps 5 --save-minutes 0.5 --cache --skip-doctor --deterministic "
        "max_epoch 3 wandb-name band"
    )
    args = make_parser().parse_args(line.split())
    assert train_options(args) == TrainOptions(
        experiment_name="tiny", batch_size=8, accumulate=2, device="cpu", precision="bf16",
        deterministic=True, checkpoint=Path("w.pth"), resume=True, start_epoch=3, cache=True,
        skip_doctor=True, save_steps=5, save_minutes=0.5, exp_file="e.py",
        overrides=("max_epoch", "3", "wandb-name", "band"), wandb={"name": "band"},
    )  # fmt: skip


def test_of_a_word_given_twice_the_last_counts() -> None:
    words = ("wandb-group", "a", "seed", "1", "wandb-group", "b", "wandb-name", "wandb-x")
    assert wandb_words(words) == {"group": "b", "name": "wandb-x"}


def test_yoloxs_own_tool_has_fewer_flags() -> None:
    words = ["-n", "yolox-s", "-expn", "tiny", "-b", "4", "-o", "--fp16"]
    assert train_options(yolox_tool.make_parser().parse_args(words)) == TrainOptions(
        experiment_name="tiny", batch_size=4, precision="fp16", occupy=True, exp_name="yolox-s",
        stock_tool=True,
    )  # fmt: skip


def test_a_trainer_takes_options_as_they_are(tiny: Callable, train_args: Callable) -> None:
    """`args` stays what it was given: YOLOX's own methods may look there."""
    options = TrainOptions(experiment_name="tiny", batch_size=4, device="cpu")
    trainer = tiny().get_trainer(options)
    assert trainer.options is trainer.args is options
    args = train_args()
    trainer = tiny().get_trainer(args)
    assert trainer.args is args
    assert (trainer.options.batch_size, trainer.options.stock_tool) == (4, False)
