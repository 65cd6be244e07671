import time

import pytest
import torch
from torch import Tensor, nn
from yolox.exp import get_exp

from yolox_attn.blocks import ATTENTIONS, create_attention
from yolox_attn.cost import evaluation_mode, flops, flops_of, latency, parameters

CPU = torch.device("cpu")
C, H, W = 256, 40, 40
N = H * W


def millions_of_cam(m: int = C // 32) -> float:
    return 2 * C * m * (H + W) / 1e6


# fc2 is linear: one product for the sum of both pooled vectors where the paper has two
def millions_of_cbam(m: int, k: int = 7) -> float:
    return (3 * C * m + 2 * k**2 * N) / 1e6


def millions_of_acmix(kernel: int, conv: int = 3) -> float:
    return (3 * C + 2 * kernel**2 + 3 * conv**2 + conv**4) * C * N / 1e6


def millions_of_drconv(k: int, regions: int) -> float:
    guide_and_generator = regions * k**2 * C * N + regions**2 * C * C * k**2
    return (k**2 * C * C * N + guide_and_generator) / 1e6


def millions_of_attnconv(local: int, pooled: int, k: int = 5, window: int = 4) -> float:
    m, mg, tokens = 32 * local, 32 * pooled, N // window**2
    branch = 3 * C * m + 3 * m * k**2 + 2 * m**2
    return (N * (branch + C * mg + 2 * mg * tokens + C**2) + 2 * C * mg * tokens) / 1e6


# block, options, training, millions of multiply-adds by formula, the same as tabled elsewhere
CASES = [
    ("none", {}, False, 0, 0),
    ("cam", {}, False, millions_of_cam(), 0.3),
    ("se", {"ratio": 16}, False, 2 * C * 16 / 1e6, 0.01),
    ("cbam", {"ratio": 8}, False, millions_of_cbam(32), 0.2),
    ("acmix", {"kernel_att": 7}, False, millions_of_acmix(7), 399),
    ("acmix", {"kernel_att": 3}, False, millions_of_acmix(3), 366),
    ("drconv", {"kernel_size": 1, "region_num": 8}, True, millions_of_drconv(1, 8), 112),
    ("drconv", {"kernel_size": 1, "region_num": 8}, False, millions_of_drconv(1, 8), 112),
    ("drconv", {"kernel_size": 3, "region_num": 8}, False, millions_of_drconv(3, 8), 1011),
    (
        "attnconv",
        {"num_heads": 8, "group_split": [4, 4], "kernel_sizes": [5], "window_size": 4},
        False,
        millions_of_attnconv(4, 4),
        430,
    ),
    (
        "attnconv",
        {"num_heads": 8, "group_split": [8, 0], "kernel_sizes": [5], "window_size": 4},
        False,
        millions_of_attnconv(8, 0),
        660,
    ),
]


@pytest.mark.parametrize(("name", "options", "training", "formula", "tabled"), CASES)
def test_a_block_costs_what_its_formula_says(
    name: str, options: dict[str, object], training: bool, formula: float, tabled: float
) -> None:
    assert formula == pytest.approx(tabled, rel=0.02, abs=0.05)
    block = create_attention(name, C, **options)
    x = torch.randn(1, C, H, W, generator=torch.Generator().manual_seed(0))
    assert flops_of(block, x, training=training) / 2e6 == pytest.approx(formula, rel=0.02)


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_cost_grows_with_the_batch_and_training_costs_at_least_as_much(name: str) -> None:
    block = create_attention(name, 32)
    x = torch.randn(1, 32, 12, 20, generator=torch.Generator().manual_seed(0))
    one = flops_of(block, x)
    two = flops_of(block, torch.cat([x, x]))
    assert two == pytest.approx(2 * one, rel=0.02)  # a grid is shared
    assert flops_of(block, x, training=True) >= one


@pytest.mark.parametrize(
    ("name", "size", "million_parameters", "published"),
    [("yolox-nano", (416, 416), 0.91, 1.08), ("yolox-s", (640, 640), 9.0, 26.8)],
)
def test_yoloxs_models_cost_what_their_authors_say(
    name: str, size: tuple[int, int], million_parameters: float, published: float
) -> None:
    model = get_exp(None, name).get_model()
    assert parameters(model) / 1e6 == pytest.approx(million_parameters, rel=0.01)
    assert flops(model, size) / 1e9 == pytest.approx(published, rel=0.04)


class Attends(nn.Module):
    """Scaled-dot-product attention of the pixels among themselves, in 3 channels."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


class Encodes(nn.Module):
    """A layer that takes torch's fast path when nothing needs a gradient: it has two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = nn.functional.pad(x.flatten(2).transpose(1, 2), (0, 1))  # 3 channels to 4
        return self.attention(tokens, tokens, tokens)[0]


@pytest.mark.parametrize("training", [False, True])
def test_fused_attention_is_counted_as_its_products(training: bool) -> None:
    n = 6 * 7
    assert flops(Attends(), (6, 7), training=training) == 2 * 2 * n * n * 3
    projections = 2 * n * 4 * (3 * 4 + 4)
    assert flops(Encodes(), (6, 7), training=training) == 2 * 2 * n * n * 4 + projections
    assert torch.backends.mha.get_fastpath_enabled()


class Weighs(nn.Module):
    """Has products that no counter sees, once for each pass through it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x

    def elementwise_flops(self, height: int, width: int) -> int:
        return 1000 * height + width


def test_elementwise_work_is_counted_at_the_size_it_is_done_and_as_often() -> None:
    weighs = Weighs()
    model = nn.Sequential(weighs, nn.Conv2d(3, 2, 3, stride=2, padding=1), weighs)
    conv = 2 * 9 * 3 * 2 * 4 * 5
    assert flops(model, (8, 10)) == 8010 + conv + 4005
    assert not weighs._forward_hooks


def test_counting_and_timing_leave_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4))
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rng = torch.get_rng_state()
    for training in (False, True):
        flops(model, (8, 8), training=training)
    latency({"a": model}, (8, 8), device=CPU, repeats=2)
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(rng, torch.get_rng_state())


def test_each_module_gets_its_own_mode_back_also_after_an_error() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout()).train()
    model[0].eval()  # as a frozen layer is
    with pytest.raises(KeyError), evaluation_mode(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == [True, False, True]


class Takes(nn.Module):
    """Lets the clock go on by the next of `seconds` at each pass, and logs its name."""

    def __init__(self, name: str, clock: list[float], log: list[str], seconds: list[float]) -> None:
        super().__init__()
        self.name, self.clock, self.log, self.seconds = name, clock, log, iter(seconds)

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        assert x.shape == (1, 3, 4, 6)
        self.log.append(self.name)
        self.clock[0] += next(self.seconds)
        return x


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time of a clock that only `Takes` moves."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_latency_takes_turns_and_leaves_out_the_warm_up(clock: list[float]) -> None:
    log: list[str] = []
    models = {
        "a": Takes("a", clock, log, [9.0, 0.001, 0.003]),
        "b": Takes("b", clock, log, [9.0, 0.012, 0.012]),
    }
    found = latency(models, (4, 6), device=CPU, repeats=2, warmup=1)
    assert log == ["a", "b", "b", "a", "a", "b"]
    assert found["a"].median_ms == pytest.approx(2)
    assert found["b"].median_ms == pytest.approx(12)


def test_latency_is_a_median_with_the_middle_four_fifths(clock: list[float]) -> None:
    model = Takes("a", clock, [], [each / 1000 for each in range(11)])
    found = latency({"a": model}, (4, 6), device=CPU, repeats=11, warmup=0)["a"]
    assert (found.median_ms, found.low_ms, found.high_ms) == pytest.approx((5, 1, 9))
    with pytest.raises(ValueError, match="at least 2 repeats, got 1"):
        latency({}, (4, 6), device=CPU, repeats=1)
