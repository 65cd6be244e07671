"""Experiment files and settings that cannot work."""

from collections.abc import Callable

from bad_inputs.case import Case, Place


def written(text: str) -> Callable[[Place], None]:
    """Return what puts `text` in place of the Exp file."""
    return lambda place: place.exp.write_text(text)


def changed(old: str, new: str) -> Callable[[Place], None]:
    return lambda place: place.change_exp(old, new)


def with_line(line: str) -> Callable[[Place], None]:
    """Return what adds a line at the end of the Exp's __init__."""
    return lambda place: place.exp.write_text(place.exp.read_text() + f"        {line}\n")


STOCK = "from yolox.exp import Exp as Stock\nclass Exp(Stock):\n    pass\n"

CASES = [
    Case("missing", "no Exp file <exp>", spoil=lambda place: place.exp.unlink()),
    Case("a folder", "no Exp file <root>", experiment="-f <root>"),
    Case("no Python file", "<root>/exp.yaml is not a Python file", experiment="-f <root>/exp.yaml",
         spoil=lambda place: (place.root / "exp.yaml").write_text("depth: 1")),
    Case("syntax error", "<exp>, line 1: SyntaxError: ...",
         spoil=written("class Exp(:\n    pass\n")),
    Case("null bytes", "<exp>: ...Error: source code string cannot contain null bytes",
         spoil=written("a = 1\0\n")),
    Case("import error",
         "<exp>, line 2: ModuleNotFoundError: No module named 'nothing_of_this_name'",
         spoil=changed("from yolox_attn.exp", "import nothing_of_this_name\nfrom yolox_attn.exp")),
    Case("no class Exp", "<exp> defines no class Exp", spoil=changed("class Exp(", "class MyExp(")),
    Case("exception in __init__", "<exp>, line 14: ZeroDivisionError: division by zero",
         spoil=with_line("self.depth = 1 / 0")),
    Case("exit in __init__", "<exp>, line 14: SystemExit: bye",
         spoil=with_line("raise SystemExit('bye')")),
    Case("no super().__init__", "<exp>: Exp.__init__ must begin with super().__init__()",
         spoil=changed("super().__init__()", "pass")),
    Case("__init__ wants arguments",
         "<exp>: TypeError: Exp.__init__() missing 1 required positional argument: 'size'",
         spoil=changed("def __init__(self):", "def __init__(self, size):")),
    Case("YOLOX's base class",
         "<exp>: Exp derives from yolox.exp.yolox_base; change its base class to "
         "yolox_attn.exp.AttentionExp", spoil=written(STOCK)),
    Case("no class at all",
         "<exp>: Exp derives from builtins; change its base class to yolox_attn.exp.AttentionExp",
         spoil=written("Exp = dict\n")),
    Case("unknown attention",
         "unknown attention 'camm' at dark3; known: acmix, attnconv, cam, cbam, drconv, eca, none, "
         "se; controls: placebo, plain", "attention camm"),
    Case("attention is a number", "attention at dark3 is 3; give a name or a callable",
         spoil=with_line("self.attention = 3")),
    Case("unknown option", "attention eca at dark3: eca has no option k; it takes: b, gamma",
         "attention eca attention_options \"{'k': 3}\""),
    Case("impossible option", "attention cbam at dark3: CBAM: kernel_size must be odd, got 4",
         "attention cbam attention_options \"{'kernel_size': 4}\""),
    Case("unknown level", "attention_levels: unknown level 'dark2'; levels are dark3, dark4, dark5",
         "attention eca attention_levels dark2"),
    Case("unknown init", "unknown attention_init 'zero'; it is published or identity",
         "attention eca attention_init zero"),
    Case("options of no attention", "attention none at dark3 takes no options, got reduction",
         "attention_options \"{'reduction': 4}\""),
    Case("block changes channels",
         "attention ...:Exp.__init__.<locals>.<lambda> at dark3 turns 32 channels into 4; the neck "
         "and attention_init need as many as before",
         spoil=with_line("from torch import nn; self.attention = lambda c: nn.Conv2d(c, 4, 1)")),
    Case("block is no module",
         "attention ...:Exp.__init__.<locals>.<lambda> at dark3 returned int; a block is a "
         "callable channels -> torch.nn.Module",
         spoil=with_line("self.attention = lambda channels: channels")),
    Case("input_size 100", "input_size (100, 100): height and width must be multiples of 32",
         "input_size 100,100"),
    Case("test_size 0", "test_size (0, 0): height and width must be multiples of 32",
         "test_size 0,0"),
    Case("random_size 0", "random_size (0, 2): smallest and largest height over 32, from 1",
         "random_size 0,2"),
    Case("random_size reversed", "random_size (3, 1): smallest and largest height over 32, from 1",
         "random_size 3,1"),
    Case("multiscale_range too wide", "multiscale_range 5: 0 to 1 with input_size (64, 64)",
         "multiscale_range 5", changed("self.random_size = (1, 3)", "")),
    Case("num_classes 0", "num_classes 0: at least 1", "num_classes 0"),
    Case("num_classes too few",
         "instances_train2017.json has 5 categories, num_classes is 3; set it to 5, or give the "
         "folder by --data, which reads it", "num_classes 3"),
    Case("width 0", "width 0.0: from 1/64 to 10; 0.25 (nano) to 1.25 (x)", "width 0"),
    Case("unknown activation", "act 'gelu': it is silu, relu, lrelu", "act gelu"),
    Case("unknown scheduler", "scheduler 'linear': it is yoloxwarmcos, warmcos, cos",
         "scheduler linear"),
    Case("max_epoch 0", "max_epoch 0: from 1 to 1000000", "max_epoch 0"),
    Case("schedule too short",
         "max_epoch 2 leaves no epoch between warmup_epochs 1 and no_aug_epochs 1; add: "
         "warmup_epochs 1 no_aug_epochs 0", "warmup_epochs 1 no_aug_epochs 1"),
    Case("warmup_epochs negative", "warmup_epochs -1: 0 or more", "warmup_epochs -1"),
    Case("no_aug_epochs negative", "no_aug_epochs -1: 0 or more", "no_aug_epochs -1"),
    Case("eval_interval 0", "eval_interval 0: at least 1 epoch", "eval_interval 0"),
    Case("print_interval 0", "print_interval 0: at least 1 step", "print_interval 0"),
    Case("negative workers", "data_num_workers -1: 0 or more; 0 loads in the run's own process",
         "data_num_workers -1"),
    Case("max_labels 0", "max_labels 0: at least 1 box an image", "max_labels 0"),
    Case("freeze nothing",
         "freeze 'backbone.backbne.dark2': no parameter of that name; did you mean "
         "backbone.backbone.dark2, backbone.backbone.dark5.2, backbone.backbone.dark2.1?",
         spoil=with_line("self.freeze = ['backbone.backbne.dark2']")),
    Case("freeze everything", "freeze *: nothing would be left to learn",
         spoil=with_line("self.freeze = ['*']")),
    Case("freeze is text", "freeze 'backbone': a list of name patterns",
         spoil=with_line("self.freeze = 'backbone'")),
    Case("negative patience", "patience -1: evaluations to wait, 0 for no early stop",
         "patience -1"),
]  # fmt: skip
