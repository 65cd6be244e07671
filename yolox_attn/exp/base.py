"""The experiment users subclass: YOLOX's Exp with attention, on any device."""

import inspect
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from yolox.data import DataLoader as MosaicLoader
from yolox.data import ValTransform, get_yolox_datadir
from yolox.exp import Exp
from yolox.models import YOLOX
from yolox.utils import get_rank, get_world_size

from yolox_attn.core.ema import EMA_DECAY, EMA_TAU
from yolox_attn.core.optimizer import build_sgd
from yolox_attn.core.trainer import AttentionTrainer
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.mosaic import MosaicMixup
from yolox_attn.data.sampler import exact_loader
from yolox_attn.data.transform import CountingTransform
from yolox_attn.errors import InputError
from yolox_attn.evaluators import COCOEvaluator
from yolox_attn.exp.checks import NETWORK_RULES, RULES, SCHEDULER_RULES, check_rules
from yolox_attn.exp.image_size import check_sizes, extreme_sizes, height_range, training_size
from yolox_attn.exp.overrides import apply_overrides
from yolox_attn.models import LEVELS, AttentionPAFPN, FullPrecisionHead, level_channels, place
from yolox_attn.models.contract import check_blocks
from yolox_attn.models.freeze import freeze
from yolox_attn.models.placement import AttentionChoice
from yolox_attn.seed import seed_worker

IN_CHANNELS = (256, 512, 1024)


class AttentionExp(Exp):  # type: ignore[misc]
    """YOLOX's Exp whose neck applies attention; everything else an Exp sets means what it meant.

    Attributes:
        attention: a name of `ATTENTIONS` ("none" is the baseline), a callable
            `channels -> nn.Module`, or a mapping from level to either.
        attention_options: options of the block (by level when `attention` is a mapping).
        attention_levels: where a single choice goes, of dark3, dark4, dark5.
        attention_init: "published" or "identity" (a pretrained detector starts where it was).
        depthwise: depthwise convolutions, as in YOLOX-nano.
        channels_last: memory format of the model; 1.3 times faster on a CPU.
        multiscale: draw a training size every 10 steps; False: every step at input_size.
        max_labels: boxes kept of one augmented training image.
        ema_decay, ema_tau: after n steps the moving average of the weights keeps the share
            ema_decay (1 - exp(-n / ema_tau)) of itself. YOLOX's 0.9998 and 2000 keep 5 %
            after 100 steps and 39 % after 1000: a short run has no average at all.
        freeze: patterns of module or parameter names, as "backbone.backbone.dark2" or "*.stem*",
            that are not trained; their BatchNorm keeps its statistics.
        patience: evaluations without a better AP before the run stops; 0 never stops it.
        train_name, val_name, test_name: the image folders below data_dir.
    """

    def __init__(self) -> None:
        super().__init__()
        self.exp_name = _file_stem(type(self))
        self.attention: AttentionChoice = "none"
        self.attention_options: Mapping[str, Any] = {}
        self.attention_levels: Sequence[str] = LEVELS
        self.attention_init = "published"
        self.depthwise = False
        self.channels_last = True
        self.multiscale = True
        self.max_labels = 120
        self.ema_decay, self.ema_tau = EMA_DECAY, EMA_TAU
        self.freeze: Sequence[str] = ()
        self.patience = 0
        self.train_name, self.val_name, self.test_name = "train2017", "val2017", "test2017"
        self.save_history_ckpt = False
        self.data_num_workers = min(4, max(1, (os.cpu_count() or 1) // 2))

    def merge(self, cfg_list: Sequence[Any]) -> None:
        """Apply `key value` overrides, strictly: unknown keys and wrong types are refused."""
        apply_overrides(self, cfg_list)

    def check(self) -> None:
        """Refuse settings that cannot work, before anything is built.

        Raises:
            InputError: the first such setting, and what is allowed.
        """
        check_rules(self, RULES)
        check_sizes(self)
        # A subclass that builds these by itself may know other names.
        if type(self).get_model is AttentionExp.get_model:
            check_rules(self, NETWORK_RULES)
        if type(self).get_lr_scheduler is Exp.get_lr_scheduler:
            check_rules(self, SCHEDULER_RULES)

    def get_model(self) -> nn.Module:
        """Return the detector, built and initialised once; called again, the same as it is now."""
        if getattr(self, "model", None) is None:
            neck = AttentionPAFPN(
                self.depth,
                self.width,
                in_channels=IN_CHANNELS,
                depthwise=self.depthwise,
                act=self.act,
                attention=self.attention,
                attention_options=self.attention_options,
                attention_levels=self.attention_levels,
                attention_init=self.attention_init,
            )
            head = FullPrecisionHead(
                self.num_classes,
                self.width,
                in_channels=list(IN_CHANNELS),
                act=self.act,
                depthwise=self.depthwise,
            )
            self._probe(neck)
            self.model = YOLOX(neck, head)
            super().get_model()  # finds the model: sets BatchNorm's eps and momentum, head biases
            freeze(self.model, self.freeze)
        model: nn.Module = self.model
        return model

    def _probe(self, neck: AttentionPAFPN) -> None:
        """Refuse a block of the user's own that breaks the contract, at any size it will see."""
        placements = place(self.attention, self.attention_options, tuple(self.attention_levels))
        if placements:
            channels = level_channels(self.width, IN_CHANNELS)
            check_blocks(neck.backbone.attention, placements, channels, extreme_sizes(self))

    def get_optimizer(self, batch_size: int) -> Optimizer:
        """Return YOLOX's SGD over all trainable parameters (see `core.optimizer`)."""
        if "optimizer" not in self.__dict__:
            lr = self.warmup_lr if self.warmup_epochs > 0 else self.basic_lr_per_img * batch_size
            self.optimizer = build_sgd(self.get_model(), lr, self.momentum, self.weight_decay)
        optimizer: Optimizer = self.optimizer
        return optimizer

    def get_data_loader(
        self,
        batch_size: int,
        is_distributed: bool,  # noqa: FBT001 - YOLOX's signature
        no_aug: bool = False,  # noqa: FBT001, FBT002
        cache_img: bool = False,  # noqa: FBT001, FBT002
    ) -> MosaicLoader:
        """Return YOLOX's endless mosaic loader, its batches numbered (see `data.sampler`).

        With `cache_img` all images are read now, without it each when it is first needed.
        """
        images = self._images(self.train_ann, self.train_name, self.input_size, None, cache_img)
        if not cache_img:
            images.keep_images()
        self.dataset = MosaicMixup(
            images,
            mosaic=not no_aug,
            img_size=self.input_size,
            preproc=CountingTransform(self.max_labels, self.flip_prob, self.hsv_prob),
            degrees=self.degrees,
            translate=self.translate,
            mosaic_scale=self.mosaic_scale,
            mixup_scale=self.mixup_scale,
            shear=self.shear,
            enable_mixup=self.enable_mixup,
            mosaic_prob=self.mosaic_prob,
            mixup_prob=self.mixup_prob,
        )
        rank, ranks = _share_of(batch_size, is_distributed)
        return exact_loader(
            self.dataset,
            batch_size,
            seed=self.seed or 0,
            workers=self.data_num_workers,
            rank=rank,
            ranks=ranks,
            mosaic=not no_aug,
        )

    def get_eval_loader(
        self,
        batch_size: int,
        is_distributed: bool,  # noqa: FBT001 - YOLOX's signature
        testdev: bool = False,  # noqa: FBT001, FBT002
        legacy: bool = False,  # noqa: FBT001, FBT002
    ) -> DataLoader[Any]:
        """Return the validation (or, with `testdev`, test) images in order, resized and padded."""
        ann, name = (self.test_ann, self.test_name) if testdev else (self.val_ann, self.val_name)
        images = self._images(ann, name, self.test_size, ValTransform(legacy=legacy), cache=False)
        rank, ranks = _share_of(batch_size, is_distributed)
        return DataLoader(
            images,
            batch_size=batch_size // ranks,
            sampler=range(rank, len(images), ranks),  # each image once, none repeated to pad
            num_workers=self.data_num_workers,
            worker_init_fn=seed_worker,
        )

    def _images(
        self,
        ann: str,
        name: str,
        size: Sequence[int],
        preproc: Any,
        cache: bool,  # noqa: FBT001
    ) -> CocoDetection:
        if self.data_dir is None and not Path(default := get_yolox_datadir(), "COCO").is_dir():
            raise InputError(
                "no data: give --data DIR (a folder in COCO layout), or data_dir DIR, or set "
                f"YOLOX_DATADIR to a folder that holds COCO (it is {default})"
            )
        images = CocoDetection(
            data_dir=self.data_dir,
            json_file=ann,
            name=name,
            img_size=(size[0], size[1]),
            preproc=preproc,
            cache=cache,
        )
        if (categories := len(images.class_ids)) > self.num_classes:
            raise InputError(
                f"{ann} has {categories} categories, num_classes is {self.num_classes}; set it to "
                f"{categories}, or give the folder by --data, which reads it"
            )
        return images

    def get_evaluator(
        self,
        batch_size: int,
        is_distributed: bool,  # noqa: FBT001 - YOLOX's signature
        testdev: bool = False,  # noqa: FBT001, FBT002
        legacy: bool = False,  # noqa: FBT001, FBT002
    ) -> COCOEvaluator:
        """Return the evaluator of the split; it runs where the model is."""
        return COCOEvaluator(
            dataloader=self.get_eval_loader(batch_size, is_distributed, testdev, legacy),
            img_size=self.test_size,
            confthre=self.test_conf,
            nmsthre=self.nmsthre,
            num_classes=self.num_classes,
            testdev=testdev,
            per_class_AP=True,
        )

    def get_trainer(self, args: Any) -> AttentionTrainer:
        """Return the trainer for the command line's `args`: YOLOX's Namespace or TrainOptions."""
        return AttentionTrainer(self, args)

    def random_resize(
        self,
        data_loader: Any,
        epoch: int,
        rank: int,
        is_distributed: bool,  # noqa: FBT001
    ) -> tuple[int, int]:
        """Return the next training size: a multiple of 32 in the Exp's range, rank 0's draw."""
        size = [0]
        if rank == 0:
            size[0] = random.randint(*height_range(self))
        if is_distributed:
            dist.broadcast_object_list(size, src=0)
        return training_size(self, size[0])


def _share_of(batch_size: int, is_distributed: bool) -> tuple[int, int]:  # noqa: FBT001
    """Return this process's rank and the number of ranks, which share a batch equally."""
    rank, ranks = (get_rank(), get_world_size()) if is_distributed else (0, 1)
    if batch_size < 1 or batch_size % ranks:
        raise InputError(f"-b {batch_size}: must be a positive multiple of the {ranks} processes")
    return rank, ranks


def _file_stem(cls: type) -> str:
    """Return the name of the file that defines the experiment: YOLOX leaves "yolox_base"."""
    try:
        return Path(inspect.getfile(cls)).stem
    except (TypeError, OSError):  # a class typed into an interpreter has no file
        return cls.__name__.lower()
