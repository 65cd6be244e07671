"""Examine a data set: `python tools/doctor.py --data DIR`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("doctor"))
