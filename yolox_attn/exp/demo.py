"""The embedded default: a small network, and data that the package draws itself."""

from typing import Any

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.drawn import drawn_set
from yolox_attn.data.scenes import CLASSES
from yolox_attn.exp.base import AttentionExp


class DemoExp(AttentionExp):
    """YOLOX of nano's width on the drawn set: minutes on two CPU cores, yet it learns something.

    The set is drawn when images are first loaded, unless data_dir is set. The learning rate is
    above YOLOX's: 600 small steps have to do what 500 000 do on COCO.
    """

    def __init__(self) -> None:
        super().__init__()
        self.data_dir: str | None = None
        self.num_classes = len(CLASSES)
        self.depth, self.width = 0.33, 0.25
        self.input_size = self.test_size = (160, 160)
        self.multiscale_range = 0  # each step costs the same, so the time left is known
        self.max_epoch = 10
        # A shorter warm-up blows boxes up until none meets an object: some seeds then stay there.
        self.warmup_epochs = 3
        self.no_aug_epochs = 2
        self.basic_lr_per_img = 0.02 / 8
        self.mosaic_prob = 0.0  # the images are crowded enough, and the schedule is short
        self.enable_mixup = False
        self.eval_interval = 1
        self.data_num_workers = 1

    def _images(self, *args: Any, **options: Any) -> CocoDetection:
        if self.data_dir is None:
            self.data_dir = str(drawn_set())
        return super()._images(*args, **options)
