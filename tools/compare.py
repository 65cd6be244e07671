"""Compare finished runs: `python tools/compare.py RUN_DIR ...`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("compare"))
