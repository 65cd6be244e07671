"""Controls of a study: what "some new layer there" gives, without the idea of any block.

Both are the identity when they are fresh and learn from the first step, so `attention_init`
"identity" leaves them as they are: x + gamma * (block(x) - x) at gamma = 0 around a block with
block(x) = x has no gradient at all and would stay there for ever.
"""

import torch
from torch import Tensor, nn

from yolox_attn.blocks.gates import match_input, require_counts


class Placebo(nn.Module):
    """x (1 + gamma), gamma per channel, learnable, 0 at the start: nothing a network lacks.

    The next convolution could absorb it; only the path that training takes is another one. A study
    that finds an effect of it has found noise.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    starts_as_identity = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        require_counts("placebo", channels=channels)
        self.gamma = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = (1 + self.gamma).to(x.dtype)  # added first: a small gamma is lost to a half
        return x * scale[:, None, None]  # (C, 1, 1)


class Plain(nn.Module):
    """x + W2 silu(W1 x): 1x1 convolutions without biases, as many parameters as are wanted.

    The hidden width h is the one, at least 1, whose 2 C h parameters come closest; W2 is 0 at the
    start.

    Args:
        parameters: how many it should have; `parameter_count` is how many it has.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    starts_as_identity = True

    def __init__(self, channels: int, *, parameters: int) -> None:
        super().__init__()
        require_counts("plain", channels=channels, parameters=parameters)
        self.parameters_wanted = parameters
        hidden = max(1, (parameters + channels) // (2 * channels))  # the nearest whole number
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.act = nn.SiLU()
        self.expand = nn.Conv2d(hidden, channels, 1, bias=False)
        nn.init.zeros_(self.expand.weight)

    @property
    def parameter_count(self) -> int:
        """How many parameters it has: 2 C h."""
        return self.reduce.weight.numel() + self.expand.weight.numel()

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.expand(self.act(self.reduce(x)))
        return match_input(x + change, x)

    def extra_repr(self) -> str:
        return f"parameters={self.parameter_count}, wanted={self.parameters_wanted}"
