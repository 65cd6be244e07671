"""YOLOX-S as published: the baseline of the yolox_s variants."""

from yolox_attn.exp import SmallExp as MyExp


class Exp(MyExp):
    def __init__(self) -> None:
        super().__init__()
        self.attention = "none"
