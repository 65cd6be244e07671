"""A trained detector in use: a function of images; pictures and video in, results out."""

from yolox_attn.detection.detector import Detections, Detector, load_detector

__all__ = ["Detections", "Detector", "load_detector"]
