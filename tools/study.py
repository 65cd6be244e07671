"""Plan, run and judge a study over seeds: `python tools/study.py plan STUDY ...`."""

import sys

from yolox_attn.cli import run

if __name__ == "__main__":
    sys.exit(run("study"))
