"""Train, evaluate and compare on a set drawn by the package: `python tools/demo.py`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("demo"))
