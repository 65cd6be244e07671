"""Boxes on an image."""

import colorsys

import cv2

from yolox_attn.detection.detector import Detections, Pixels

LUMA = (0.114, 0.587, 0.299)  # of blue, green, red
GOLDEN = 0.618034  # of a turn: neighbouring classes get hues far apart


def colour(class_id: int) -> tuple[int, int, int]:
    """Return a class's colour, BGR."""
    red, green, blue = colorsys.hsv_to_rgb(GOLDEN * class_id % 1, 0.8, 0.95)
    return int(255 * blue), int(255 * green), int(255 * red)


def draw(image: Pixels, found: Detections) -> Pixels:
    """Return a copy of the image with boxes, class names and scores.

    OpenCV writes ASCII alone: a class of another name is shown by its number.
    """
    drawn: Pixels = image.copy()
    thick = max(round(max(image.shape[:2]) / 400), 1)
    size = max(max(image.shape[:2]) / 1200, 0.4)
    # The best are drawn last, on top.
    rows = list(zip(found.xyxy, found.scores, found.class_ids, found.class_names, strict=True))
    for box, score, number, name in reversed(rows):
        left, top, right, bottom = (round(float(side)) for side in box)
        ink = colour(int(number))
        cv2.rectangle(drawn, (left, top), (right, bottom), ink, thick)
        text = f"{name if name.isascii() else f'class {number}'} {score:.2f}"
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
        line = max(top, height + below)
        cv2.rectangle(drawn, (left, line - height - below), (left + width, line), ink, -1)
        light = sum(w * c for w, c in zip(LUMA, ink, strict=True)) > 140
        paper = (0, 0, 0) if light else (255, 255, 255)
        place = (left, line - below // 2)
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, paper, thick, cv2.LINE_AA)
    return drawn
