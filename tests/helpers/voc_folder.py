"""A small set in Pascal VOC's layout: one dog in each image."""

from pathlib import Path

import cv2
import numpy as np

ANNOTATION = """<annotation><size><width>{0}</width><height>{0}</height><depth>3</depth></size>
<object><name>dog</name><pose/><truncated>0</truncated><difficult>0</difficult>
<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>50</xmax><ymax>60</ymax></bndbox></object>
</annotation>"""


def write_voc(root: Path, images: int, side: int, splits: tuple[str, ...]) -> None:
    """Write VOC2007 below `root`, all images in each split; counted from 0, x 10..50, y 20..60.

    The pixels of an image are its own number, so that a model can tell them apart.
    """
    folder = root / "VOC2007"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    names = [f"{number:06}" for number in range(images)]
    for number, name in enumerate(names):
        pixels = np.full((side, side, 3), number, dtype=np.uint8)
        cv2.imwrite(str(folder / f"JPEGImages/{name}.jpg"), pixels)
        (folder / f"Annotations/{name}.xml").write_text(ANNOTATION.format(side))
    for split in splits:
        (folder / f"ImageSets/Main/{split}.txt").write_text("\n".join(names) + "\n")
