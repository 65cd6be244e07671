"""The drawn set without attention: the baseline of the demo."""

from yolox_attn.exp import DemoExp as MyExp


class Exp(MyExp):
    def __init__(self) -> None:
        super().__init__()
        self.attention = "none"
