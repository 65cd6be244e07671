"""The drawn set with DRConv on dark3, dark4 and dark5; otherwise yolox_demo.py."""

from yolox_attn.exp import DemoExp as MyExp


class Exp(MyExp):
    def __init__(self) -> None:
        super().__init__()
        self.attention = "drconv"
