"""Draw and list what a detector finds: `python tools/detect.py SOURCE -c RUN`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("detect"))
