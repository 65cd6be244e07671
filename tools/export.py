"""Write a trained detector as ONNX or OpenVINO: `python tools/export.py -c RUN`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("export"))
