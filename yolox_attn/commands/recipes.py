"""Settings that go together, by name: `--recipe`. What the command line says by itself wins."""

from collections.abc import Sequence

from yolox_attn.errors import InputError

RECIPES: dict[str, dict[str, str]] = {
    # Measured on a small set (benchmarks/recipes.py; docs/training.md has the table).
    "finetune": {
        "max_epoch": "10",
        "warmup_epochs": "1",
        "no_aug_epochs": "1",
        "basic_lr_per_img": "0.00125",
        "ema_decay": "0.98",
        "ema_tau": "30",
        "multiscale": "False",
        "freeze": "backbone.backbone.stem,backbone.backbone.dark2,backbone.backbone.dark3",
        "attention_init": "identity",
    },
    # YOLOX's own for COCO.
    "scratch": {
        "max_epoch": "300",
        "warmup_epochs": "5",
        "no_aug_epochs": "15",
        "basic_lr_per_img": "0.00015625",
        "ema_decay": "0.9998",
        "ema_tau": "2000",
        "attention_init": "published",
    },
}


def recipe_overrides(name: str, given: Sequence[str], *, pretrained: bool | None) -> list[str]:
    """Return the recipe as overrides: key, value, key, value, ...

    Args:
        name: of the recipe.
        given: the keys that are set otherwise; the recipe leaves them out.
        pretrained: the run starts from weights; None of one that goes on.

    Raises:
        InputError: the recipe is for the other start.
    """
    if name == "finetune" and pretrained is False:
        raise InputError("--recipe finetune needs weights to start from: -c FILE")
    if name == "scratch" and pretrained:
        raise InputError("--recipe scratch is for a start without weights; with -c: finetune")
    pairs = (pair for pair in RECIPES[name].items() if pair[0] not in given)
    return [word for pair in pairs for word in pair]
