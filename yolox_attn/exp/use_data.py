"""`--data DIR`: an experiment on one's own images, without editing its file."""

from pathlib import Path

from yolox_attn.data.coco_folder import read_coco_folder
from yolox_attn.exp.base import AttentionExp


def use_data(exp: AttentionExp, folder: str | Path) -> None:
    """Point `exp` at a COCO-layout folder: classes, file and folder names are read from it.

    Raises:
        InputError: the folder is missing or wrong (see `read_coco_folder`).
    """
    data = read_coco_folder(Path(folder))
    exp.data_dir = str(data.root)
    exp.num_classes = len(data.classes)
    exp.train_ann, exp.val_ann = data.train_ann, data.val_ann
    exp.train_name, exp.val_name = data.train_name, data.val_name
    if data.test_ann is not None and data.test_name is not None:
        exp.test_ann, exp.test_name = data.test_ann, data.test_name
