"""Fetch published weights: `python tools/fetch_weights.py s`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("fetch_weights"))
