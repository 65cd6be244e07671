"""Judge a checkpoint: `python tools/eval.py -f exps/yolox_s_cam.py`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("eval"))
