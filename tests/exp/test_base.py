from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from voc_folder import write_voc
from yolox.exp import Exp

from yolox_attn.data import coco_dataset, shared_images
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, NanoExp, load_exp
from yolox_attn.models import ATTENTION_PREFIX
from yolox_attn.runs import read_record


def test_none_builds_yoloxs_detector_bit_for_bit() -> None:
    class Stock(Exp):
        def __init__(self) -> None:
            super().__init__()
            self.depth, self.width = 0.33, 0.125

    class Ours(AttentionExp):
        def __init__(self) -> None:
            super().__init__()
            self.depth, self.width = 0.33, 0.125

    torch.manual_seed(0)
    stock = Stock().get_model().state_dict()
    torch.manual_seed(0)
    ours = Ours().get_model().state_dict()
    assert list(stock) == list(ours)
    assert all(torch.equal(stock[key], ours[key]) for key in stock)


def test_a_second_get_model_changes_nothing(tiny: Callable) -> None:
    exp = tiny(attention="cam")
    model = exp.get_model()
    optimizer = exp.get_optimizer(4)
    with torch.no_grad():
        model.head.cls_preds[0].bias.add_(1)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parameters = {id(p) for p in model.parameters()}
    again = exp.get_model()
    assert again is model
    assert all(torch.equal(before[key], value) for key, value in again.state_dict().items())
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == parameters


def test_batch_norm_inside_a_block_gets_yoloxs_settings(tiny: Callable) -> None:
    def own(channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))

    model = tiny(attention=own).get_model()
    norms = [m for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert any("attention" in name for name, m in model.named_modules() if m in norms)
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.03)}


def test_a_block_of_ones_own_is_one_line() -> None:
    exp = NanoExp()
    exp.attention = lambda channels: nn.Conv2d(channels, channels, 1)
    new = [key for key in exp.get_model().state_dict() if key.startswith(ATTENTION_PREFIX)]
    assert len(new) == 6


def test_random_resize_draws_as_yoloxs_without_cuda(tiny: Callable) -> None:
    exp = tiny(random_size=(2, 4), input_size=(64, 128))
    sizes = {exp.random_resize(None, 0, 0, is_distributed=False) for _ in range(60)}
    assert sizes == {(64, 128), (96, 192), (128, 256)}


def test_loaders_give_yoloxs_batches(tiny: Callable) -> None:
    exp = tiny()
    images, labels, *_ = next(iter(exp.get_data_loader(4, is_distributed=False)))
    assert images.shape == (4, 3, 64, 64)
    assert labels.shape == (4, exp.max_labels, 5)
    ids = [int(i) for batch in exp.get_eval_loader(2, is_distributed=False) for i in batch[3]]
    assert ids == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("cache", "stored"), [(False, 0), (True, 12)])
def test_training_images_are_kept_when_read_or_with_cache_at_once(
    tiny: Callable, cache: bool, stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (coco_dataset, shared_images):
        monkeypatch.setattr(module, "free_memory", lambda: 1 << 30)
    exp = tiny()
    loader = exp.get_data_loader(4, is_distributed=False, cache_img=cache)
    assert exp.dataset._dataset.kept.stored == stored
    batches = iter(loader)
    for _ in range(3):  # a pass over the 12 images
        next(batches)
    assert exp.dataset._dataset.kept.stored == 12


def test_a_batch_of_nothing_is_refused(tiny: Callable) -> None:
    with pytest.raises(InputError, match="-b 0"):
        tiny().get_data_loader(0, is_distributed=False)


STOCK_VOC_EXP = '''
"""An experiment as YOLOX's own VOC example has it; only the base class is another."""
import os
import torch
import torch.distributed as dist
from yolox_attn.exp import AttentionExp as MyExp

class Exp(MyExp):
    def __init__(self):
        super(Exp, self).__init__()
        self.num_classes = 20
        self.depth = 0.33
        self.width = 0.125
        self.input_size = self.test_size = (64, 64)
        self.random_size = (1, 3)
        self.max_epoch, self.warmup_epochs, self.no_aug_epochs = 1, 0, 0
        self.data_num_workers, self.seed = 0, 0  # at 64 pixels the loss of some seeds overflows
        self.attention = "eca"
        self.exp_name = os.path.split(os.path.realpath(__file__))[1].split(".")[0]

    def get_data_loader(self, batch_size, is_distributed, no_aug=False, cache_img=False):
        from yolox.data import (VOCDetection, TrainTransform, YoloBatchSampler, DataLoader,
                                InfiniteSampler, MosaicDetection, worker_init_reset_seed)
        dataset = VOCDetection(
            data_dir=os.environ["TEST_VOC"], image_sets=[("2007", "train")],
            img_size=self.input_size, preproc=TrainTransform(max_labels=50))
        dataset = MosaicDetection(
            dataset, mosaic=not no_aug, img_size=self.input_size,
            preproc=TrainTransform(max_labels=120), degrees=self.degrees,
            translate=self.translate, mosaic_scale=self.mosaic_scale,
            mixup_scale=self.mixup_scale, shear=self.shear, enable_mixup=self.enable_mixup,
            mosaic_prob=self.mosaic_prob, mixup_prob=self.mixup_prob)
        self.dataset = dataset
        sampler = InfiniteSampler(len(self.dataset), seed=self.seed if self.seed else 0)
        batch_sampler = YoloBatchSampler(
            sampler=sampler, batch_size=batch_size, drop_last=False, mosaic=not no_aug)
        return DataLoader(self.dataset, num_workers=self.data_num_workers, pin_memory=True,
                          batch_sampler=batch_sampler, worker_init_fn=worker_init_reset_seed)

    def get_eval_loader(self, batch_size, is_distributed, testdev=False, legacy=False):
        from yolox.data import VOCDetection, ValTransform
        dataset = VOCDetection(
            data_dir=os.environ["TEST_VOC"], image_sets=[("2007", "test")],
            img_size=self.test_size, preproc=ValTransform(legacy=legacy))
        return torch.utils.data.DataLoader(
            dataset, batch_size=batch_size, num_workers=self.data_num_workers,
            sampler=torch.utils.data.SequentialSampler(dataset))

    def get_evaluator(self, batch_size, is_distributed, testdev=False, legacy=False):
        from yolox.evaluators import VOCEvaluator
        return VOCEvaluator(
            dataloader=self.get_eval_loader(batch_size, is_distributed, testdev, legacy),
            img_size=self.test_size, confthre=self.test_conf, nmsthre=self.nmsthre,
            num_classes=self.num_classes)
'''


def test_an_existing_voc_experiment_gains_attention_by_its_base_class(
    tmp_path: Path, train: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_voc(tmp_path, 4, 64, ("train", "test"))
    monkeypatch.setenv("TEST_VOC", str(tmp_path))
    file = tmp_path / "yolox_voc_s.py"
    file.write_text(STOCK_VOC_EXP)
    exp = load_exp(str(file))
    exp.output_dir = str(tmp_path / "out")
    train(exp, experiment_name=exp.exp_name, batch_size=2)
    record = read_record(tmp_path / "out" / "yolox_voc_s")
    assert record.state == "finished"
    assert set(record.attention) == {"dark3", "dark4", "dark5"}
    assert record.metrics["AP"] is not None
    assert (record.data["train_images"], record.data["val_images"]) == (4, 4)
