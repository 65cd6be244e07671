"""The training loop compared with YOLOX's, and its promises around the step."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import differing
from torch import nn
from yolox.exp import Exp
from yolox.utils import ModelEMA

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.core import read_checkpoint
from yolox_attn.core.batches import Batch
from yolox_attn.errors import TrainingError
from yolox_attn.exp import AttentionExp
from yolox_attn.runs import read_metrics, read_record
from yolox_attn.seed import seed_everything

LABELS = torch.tensor([[[0.0, 20, 20, 16, 12], [2, 44, 40, 30, 24]]] * 4)


class Fixed:
    """A prefetcher whose batches are given."""

    def __init__(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.batches = iter(batches)

    def take(self, count: int) -> list[Batch]:
        return [Batch(*next(self.batches), 0) for _ in range(count)]

    def move(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return batch.images, batch.labels


def stock_steps(
    exp: Exp, batches: list[tuple[torch.Tensor, torch.Tensor]], size: tuple[int, int], epoch: int
) -> tuple[list[float], nn.Module, nn.Module, dict[str, torch.Tensor]]:
    """The stock trainer's steps, line by line as in its train_one_iter, on the CPU."""
    seed_everything(0)
    model = exp.get_model()
    optimizer = exp.get_optimizer(4)
    scheduler = exp.get_lr_scheduler(exp.basic_lr_per_img * 4, epoch)
    ema = ModelEMA(model, 0.9998)
    ema.updates = 0
    model.train()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    losses = []
    for step, (images, labels) in enumerate(batches):
        images, labels = exp.preprocess(images.float(), labels.float(), size)
        loss = model(images, labels)["total_loss"]
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        ema.update(model)
        lr = scheduler.update_lr(step + 1)
        for group in optimizer.param_groups:
            group["lr"] = lr
        losses.append(loss.item())
    return losses, model, ema.ema, {k: p.grad for k, p in model.named_parameters()}


class StockTiny(Exp):
    """YOLOX's own experiment with the tiny settings."""

    def __init__(self) -> None:
        super().__init__()
        self.num_classes = 5
        self.depth, self.width = 0.33, 0.125
        self.input_size = self.test_size = (64, 64)
        self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 3, 1, 1


def test_three_steps_of_none_are_the_stock_trainers_bit_for_bit(
    tiny: Callable, train_args: Callable
) -> None:
    torch.manual_seed(5)
    batches = [(torch.rand(4, 3, 64, 64) * 255, LABELS.clone()) for _ in range(3)]
    size = (96, 96)  # multi-scale: the batch is resized
    losses, stock, stock_ema, grads = stock_steps(StockTiny(), copy.deepcopy(batches), size, 3)

    seed_everything(0)
    exp = tiny(depthwise=False, channels_last=False)
    trainer = exp.get_trainer(train_args())
    trainer.before_train()
    trainer.prefetcher, trainer.input_size = Fixed(batches), size
    trainer.epoch = 0
    trainer.before_epoch()
    mine = []
    for trainer.iter in range(3):
        trainer.train_one_iter()
        mine.append(trainer.meter["total_loss"].latest)

    assert mine == losses
    assert differing(trainer.model.state_dict(), stock.state_dict()) == []
    assert differing(trainer.ema_model.ema.state_dict(), stock_ema.state_dict()) == []
    assert differing({k: p.grad for k, p in trainer.model.named_parameters()}, grads) == []
    for model, in_place in ((trainer.model, False), (trainer.ema_model.ema, True)):  # see there
        acts = [module for module in model.modules() if isinstance(module, nn.SiLU)]
        assert {act.inplace for act in acts} == {in_place}


def moved(exp: AttentionExp, train: Callable) -> dict[str, bool]:
    """Train 24 steps at YOLOX's rate for a batch of 64; tell which parameters changed."""
    # 256 pixels: the smallest map is 8x8, so that a global branch sees more than one window.
    vars(exp).update(input_size=(256, 256), random_size=(8, 8), eval_interval=99)
    vars(exp).update(max_epoch=4, warmup_epochs=0, no_aug_epochs=0, basic_lr_per_img=0.01 / 2)
    seed_everything(0)
    before = {k: p.detach().clone() for k, p in exp.get_model().named_parameters()}
    train(exp, batch_size=2, skip_doctor=True)  # six steps an epoch
    after = exp.get_model().named_parameters()
    return {key: not torch.equal(p.detach(), before[key]) for key, p in after}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "cam" else pytest.mark.slow)
        for name in sorted(ATTENTIONS.keys() - {"none"})
    ],
)
def test_after_24_steps_every_trainable_tensor_has_changed(
    name: str, tiny: Callable, train: Callable
) -> None:
    changed = moved(tiny(attention=name), train)
    assert [key for key, yes in changed.items() if not yes] == []


def test_after_24_steps_from_identity_gamma_and_rates_have_changed(
    tiny: Callable, train: Callable
) -> None:
    changed = moved(tiny(attention="acmix", attention_init="identity"), train)
    assert [key for key, yes in changed.items() if not yes] == []
    for level in ("dark3", "dark4", "dark5"):
        place = f"backbone.backbone.attention.{level}."
        assert {place + "gamma", place + "block.rate1", place + "block.rate2"} <= changed.keys()


def test_the_latest_checkpoint_knows_the_evaluation_before_it(whole: Path) -> None:
    latest = read_checkpoint(whole / "latest_ckpt.pth")
    assert latest["best_ap"] == read_record(whole).best_ap
    assert latest["start_epoch"] == 4
    assert all(tensor.isfinite().all() for tensor in latest["model"].values())
    assert differing(latest["model"], latest["weights"]) != []  # what is shown is the EMA


def test_the_first_evaluation_writes_a_best_checkpoint_even_at_ap_zero(
    tiny: Callable, train: Callable
) -> None:
    exp = tiny(max_epoch=1, warmup_epochs=0, test_conf=1.0)  # nothing is detected
    trainer = train(exp)
    assert trainer.best_ap == 0
    assert (trainer.folder / "best_ckpt.pth").exists()


def test_an_ap_of_nothing_to_find_is_undefined_to_the_end(
    drawn: Path, tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    data = tmp_path / "crowds"
    shutil.copytree(drawn, data)
    path = data / "annotations/instances_val2017.json"
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        entry["iscrowd"] = 1
    path.write_text(json.dumps(content))
    trainer = train(tiny(max_epoch=1, data_dir=str(data)), skip_doctor=True)
    assert read_record(trainer.folder).metrics["AP"] is None
    log = (trainer.folder / "train_log.txt").read_text()
    assert "AP undefined, AP50 undefined" in log
    assert f"best AP undefined; {trainer.folder}" in log


def test_the_last_epoch_is_evaluated_whatever_the_interval(tiny: Callable, train: Callable) -> None:
    trainer = train(tiny(max_epoch=2, warmup_epochs=0, no_aug_epochs=0, eval_interval=100))
    assert ["AP" in row for row in read_metrics(trainer.folder)] == [False, True]
    assert read_record(trainer.folder).metrics


def test_a_stock_run_continues_but_not_exactly(
    whole: Path, tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    """The stock trainer's file: EMA weights alone, and the best AP as a numpy scalar."""
    ours = read_checkpoint(whole / "latest_ckpt.pth")
    stock = {
        "start_epoch": 1,
        "model": {f"module.{name}": tensor for name, tensor in ours["model"].items()},
        "optimizer": ours["optimizer"],
        "best_ap": np.float64(0.25),
    }
    torch.save(stock, tmp_path / "stock_ckpt.pth")
    exp = tiny(attention="eca", max_epoch=2)
    resumed = train(exp, resume=True, ckpt=str(tmp_path / "stock_ckpt.pth"))
    assert not resumed.exact
    assert resumed.start_epoch == 1
    assert resumed.best_ap == 0.25  # nothing better came
    assert [row["epoch"] for row in read_metrics(resumed.folder)] == [2]
    assert [entry["exact"] for entry in read_record(resumed.folder).resumed] == [False]


def test_a_loss_that_is_not_finite_stops_the_run(tiny: Callable, train: Callable) -> None:
    exp = tiny()
    with torch.no_grad():
        exp.get_model().head.reg_preds[0].bias.fill_(float("nan"))
    with pytest.raises(
        TrainingError, match=r"epoch 1, iteration \d: gradients not finite .*images 0"
    ):
        train(exp)
    assert not list(Path(exp.output_dir).rglob("*_ckpt.pth"))


def test_bfloat16_on_a_cpu_trains(tiny: Callable, train: Callable) -> None:
    trainer = train(tiny(attention="acmix", max_epoch=1, warmup_epochs=0), bf16=True)
    record = read_record(trainer.folder)
    assert (record.precision, record.memory_format) == ("bf16", "channels_last")
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}


def test_without_ema_the_raw_weights_are_saved_under_plain_names(
    tiny: Callable, train: Callable
) -> None:
    trainer = train(tiny(ema=False, max_epoch=1, warmup_epochs=0))
    state = read_checkpoint(trainer.folder / "latest_ckpt.pth")["model"]
    assert state.keys() == trainer.exp.get_model().state_dict().keys()


def test_a_loss_that_overflows_is_named_with_its_parts(tiny: Callable, train: Callable) -> None:
    exp = tiny()
    head = exp.get_model().head
    losses = head.get_losses
    head.get_losses = lambda *a, **k: (losses(*a, **k)[0] * float("inf"), *losses(*a, **k)[1:])
    with pytest.raises(TrainingError, match=r"iteration 1: total_loss not finite .total_loss inf"):
        train(exp)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_on_a_gpu(precision: str, tiny: Callable, train: Callable) -> None:
    flags = {} if precision == "fp32" else {precision: True}
    trainer = train(tiny(attention="acmix", max_epoch=1, warmup_epochs=0), device="cuda", **flags)
    assert read_record(trainer.folder).state == "finished"


def test_under_yoloxs_own_tool_a_refusal_ends_the_process(
    tiny: Callable, train: Callable, train_args: Callable
) -> None:
    """It logs any Exception and exits with 0."""
    train(tiny(max_epoch=1))
    args = train_args()
    del args.overwrite  # its tool has no such flag
    with pytest.raises(SystemExit) as caught:
        tiny(max_epoch=1).get_trainer(args).train()
    assert caught.value.code == 2


def test_weights_that_fit_are_judged_first_and_nothing_else_changes(
    tiny: Callable, train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the evaluation before training and without, the run ends with the same bits."""
    start = tmp_path / "start.pth"
    seed_everything(3)
    torch.save({"model": tiny().get_model().state_dict()}, start)
    settings = {"max_epoch": 1, "warmup_epochs": 0, "no_aug_epochs": 0}

    def run(name: str) -> Path:
        folder: Path = train(tiny(**settings), ckpt=start, experiment_name=name).folder
        return folder

    judged = run("judged")
    monkeypatch.setattr("yolox_attn.core.trainer.AttentionTrainer._judge_start", lambda *_: None)
    unjudged = run("unjudged")
    first, second = (read_record(folder).pretrained for folder in (judged, unjudged))
    assert first is not None
    assert 0 <= first["AP"] <= 1
    assert second is not None
    assert "AP" not in second
    a, b = (read_checkpoint(folder / "latest_ckpt.pth") for folder in (judged, unjudged))
    assert not differing(a, b)


@pytest.mark.parametrize(
    ("settings", "judged"),
    [
        ({"num_classes": 7}, False),  # a class layer that starts fresh
        ({"attention": "se"}, False),  # published: it changes what the weights give
        ({"attention": "se", "attention_init": "identity"}, True),
    ],
)
def test_weights_that_do_not_all_fit_are_not_judged(
    tiny: Callable, train: Callable, tmp_path: Path, settings: dict, judged: bool
) -> None:
    start = tmp_path / "start.pth"
    torch.save({"model": tiny().get_model().state_dict()}, start)
    short = {"max_epoch": 1, "warmup_epochs": 0, "no_aug_epochs": 0}
    record = read_record(train(tiny(**short, **settings), ckpt=start).folder)
    assert record.pretrained is not None
    assert ("AP" in record.pretrained) == judged


@pytest.mark.parametrize("order", [1, -1])
def test_the_class_layer_of_a_run_of_other_classes_starts_fresh(
    tiny: Callable, train: Callable, order: int
) -> None:
    short = {"max_epoch": 1, "warmup_epochs": 0, "no_aug_epochs": 0}
    folder = train(tiny(**short)).folder
    record = json.loads((folder / "run.json").read_text())
    record["data"]["class_names"] = record["data"]["class_names"][::order]
    (folder / "run.json").write_text(json.dumps(record))
    start = folder / "best_ckpt.pth"
    later = train(tiny(**short), ckpt=start, experiment_name="later").folder
    assert ("AP" in read_record(later).pretrained) == (order == 1)


@pytest.mark.parametrize("value", [None, torch.zeros(1)])
def test_weights_of_which_a_tensor_is_missing_or_reshaped_are_not_judged(
    tiny: Callable, train: Callable, tmp_path: Path, value: torch.Tensor | None
) -> None:
    weights = tiny().get_model().state_dict() | {"head.stems.0.conv.weight": value}
    start = tmp_path / "start.pth"
    torch.save({key: each for key, each in weights.items() if each is not None}, start)
    short = {"max_epoch": 1, "warmup_epochs": 0, "no_aug_epochs": 0}
    record = read_record(train(tiny(**short), ckpt=start).folder)
    assert record.pretrained is not None
    assert "AP" not in record.pretrained
