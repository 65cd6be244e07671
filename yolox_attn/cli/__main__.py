"""`python -m yolox_attn.cli NAME ...` is `yolox-attn NAME ...`."""

import sys

from yolox_attn.cli import main

if __name__ == "__main__":
    sys.exit(main())
