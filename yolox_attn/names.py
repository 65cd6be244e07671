"""Constants of commands and work alike, known before torch and YOLOX are imported."""

import re

LOGGERS = ("tensorboard", "wandb", "none")  # what shows a run's curves
FORMATS = {"onnx": ".onnx", "openvino": ".xml"}  # of exported detectors, and how their files end
AUTO = "auto"  # for a value that the command chooses
PUBLISHED_SIZES = ("nano", "tiny", "s", "m", "l", "x")  # YOLOX's, with published weights
JUDGING_SPLITS = ("val", "test")  # the images that can judge a study
PLAN_NAME = "plan.json"  # of a study
CAMERA = re.compile(r"camera:(\d+)")  # in the place of a file
