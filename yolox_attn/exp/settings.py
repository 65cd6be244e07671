"""What every setting of an experiment means: the table of `train --help-exp`."""

import textwrap

from tabulate import tabulate

from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.overrides import TYPES, known_settings

MEANINGS = {
    "act": "activation: silu, relu or lrelu",
    "attention": "block at the backbone's outputs: none, a name of the zoo, or {level: name}",
    "attention_init": "published, or identity: a pretrained detector starts where it was",
    "attention_levels": "where one block goes, of dark3, dark4, dark5",
    "attention_options": "options of the block; {level: {...}} with a block per level",
    "basic_lr_per_img": "peak learning rate over the images of a step",
    "channels_last": "memory format of the model; faster on a CPU and on tensor cores",
    "data_dir": "folder in COCO layout; --data also reads classes and file names from it",
    "data_num_workers": "loading processes; changes no number",
    "degrees": "augmentation: rotation, up to so many degrees either way",
    "depth": "of the network: 0.33 (nano) to 1.33 (x)",
    "depthwise": "depthwise convolutions, as in nano",
    "ema": "judge and save a moving average of the weights",
    "ema_decay": "share of itself that the average keeps at a step, once it has risen",
    "ema_tau": "steps in which it rises: ema_decay (1 - exp(-step / ema_tau))",
    "enable_mixup": "mix a second image into mosaics",
    "eval_interval": "epochs from one evaluation to the next; every one at the end",
    "exp_name": "name of the run's folder; -expn wins",
    "flip_prob": "augmentation: chance of a mirrored image",
    "freeze": "patterns of modules that are not trained, as backbone.backbone.dark*",
    "hsv_prob": "augmentation: chance of changed colours",
    "input_size": "nominal (height, width) of training images",
    "max_epoch": "epochs of the schedule",
    "max_labels": "boxes kept of one augmented image",
    "min_lr_ratio": "last learning rate over the peak",
    "mixup_prob": "chance of mixup in a mosaic, with enable_mixup",
    "mixup_scale": "range of scales of the image mixed in",
    "momentum": "of SGD",
    "mosaic_prob": "chance of a mosaic of four images",
    "mosaic_scale": "range of scales of a mosaic",
    "multiscale": "draw training sizes; False: every step at input_size",
    "multiscale_range": "without random_size: training heights are input_size +- 32 x this",
    "nmsthre": "IoU above which box suppression drops a box",
    "no_aug_epochs": "last epochs, without mosaic and with the L1 loss",
    "num_classes": "classes; --data reads it",
    "output_dir": "folder of run folders",
    "patience": "evaluations without a better AP before the run ends; 0: never",
    "print_interval": "steps from one log line to the next",
    "random_size": "smallest and largest training height over 32, drawn every 10 steps",
    "save_history_ckpt": "keep a checkpoint of every evaluated epoch",
    "scheduler": "of the learning rate: yoloxwarmcos, warmcos or cos",
    "seed": "of every random number; --seed also names the folder",
    "shear": "augmentation: up to so many degrees",
    "test_ann": "annotation file of the test split",
    "test_conf": "lowest confidence of a detection",
    "test_name": "image folder of the test split",
    "test_size": "(height, width) of evaluated images",
    "train_ann": "annotation file of the training split",
    "train_name": "image folder of the training split",
    "translate": "augmentation: up to this share of the size",
    "val_ann": "annotation file of the validation split",
    "val_name": "image folder of the validation split",
    "warmup_epochs": "epochs until the learning rate is at its peak",
    "warmup_lr": "learning rate of the first step",
    "weight_decay": "of convolutions' and linear layers' weights",
    "width": "of the network: 0.25 (nano) to 1.25 (x)",
}


def settings_table(exp: AttentionExp) -> str:
    """Return every setting that an override may name: its type, its value in `exp`, its meaning."""
    rows = []
    for key in sorted(known_settings(exp)):
        value = getattr(exp, key, None)
        kind = TYPES.get(key, type(value)).__name__
        shown = textwrap.shorten(repr(value), 40, placeholder=" ...")
        rows.append((key, kind, shown, MEANINGS.get(key, "a setting of this Exp file's own")))
    table = tabulate(rows, ["setting", "type", "value", "meaning"], disable_numparse=True)
    return f"settings of {exp.exp_name}, overridden by `key value`:\n\n{table}"
