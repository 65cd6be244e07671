"""YOLOX-Nano as published: the baseline of the yolox_nano variants."""

from yolox_attn.exp import NanoExp as MyExp


class Exp(MyExp):
    def __init__(self) -> None:
        super().__init__()
        self.attention = "none"
