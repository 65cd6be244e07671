"""YOLOX's published sizes, as its own default experiments have them."""

from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.demo import DemoExp


class SmallImageExp(AttentionExp):
    """What YOLOX's nano and tiny share: 416 pixels, gentler augmentation."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0.33
        self.input_size = (416, 416)
        self.test_size = (416, 416)
        self.random_size = (10, 20)
        self.mosaic_scale = (0.5, 1.5)
        self.enable_mixup = False


class NanoExp(SmallImageExp):
    def __init__(self) -> None:
        super().__init__()
        self.width = 0.25
        self.mosaic_prob = 0.5
        self.depthwise = True


class TinyExp(SmallImageExp):
    def __init__(self) -> None:
        super().__init__()
        self.width = 0.375


class SmallExp(AttentionExp):
    def __init__(self) -> None:
        super().__init__()
        self.depth, self.width = 0.33, 0.50


class MediumExp(AttentionExp):
    def __init__(self) -> None:
        super().__init__()
        self.depth, self.width = 0.67, 0.75


class LargeExp(AttentionExp):
    def __init__(self) -> None:
        super().__init__()
        self.depth, self.width = 1.0, 1.0


class ExtraLargeExp(AttentionExp):
    def __init__(self) -> None:
        super().__init__()
        self.depth, self.width = 1.33, 1.25


SIZES: dict[str, type[AttentionExp]] = {
    "nano": NanoExp,
    "tiny": TinyExp,
    "s": SmallExp,
    "m": MediumExp,
    "l": LargeExp,
    "x": ExtraLargeExp,
    "demo": DemoExp,
}
