"""`train`: one experiment, one seed, one run folder."""

import argparse

from yolox_attn import device as devices
from yolox_attn.commands.common import apply_recipe, build_exp, precision_of, prepare_process
from yolox_attn.commands.processes import run_in_processes
from yolox_attn.commands.threads import set_threads
from yolox_attn.console import echo, progress
from yolox_attn.core.launch import process_group
from yolox_attn.core.schedule import check_schedule
from yolox_attn.errors import InputError
from yolox_attn.exp.settings import settings_table
from yolox_attn.launched import launched


def train(args: argparse.Namespace, argv: list[str] | None) -> int:
    """Train as the words `argv` say; returns the exit code.

    Raises:
        InputError: the words ask for what cannot be.
        TrainingError: it failed.
        Interrupted: it was asked to stop, and saved.
    """
    recipe = apply_recipe(args, pretrained=None if args.resume else args.ckpt is not None)
    exp = build_exp(args)
    if args.help_exp:
        echo(settings_table(exp))
        return 0
    device = devices.pick_device(args.device)
    devices.precision_dtype(precision_of(args), device)
    check_schedule(exp.max_epoch, exp.warmup_epochs, exp.no_aug_epochs)
    if args.start_epoch is not None and args.start_epoch > exp.max_epoch:
        raise InputError(f"-e {args.start_epoch}: the last epoch is max_epoch {exp.max_epoch}")
    if recipe and not launched():
        progress(recipe)
    set_threads(args, exp)
    if (code := run_in_processes("train", args, argv)) is not None:
        return code
    prepare_process()
    with process_group(device, args.dist_backend):
        exp.get_trainer(args).train()
    return 0
