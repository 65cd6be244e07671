"""Write a data set in COCO layout: `python tools/convert.py SET -o DIR`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("convert"))
