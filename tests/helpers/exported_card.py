"""What an exported file says of itself, for the tests of several folders."""

from yolox_attn.models.exported import Card

CARD = Card(
    experiment="tiny",
    checkpoint_sha256="0" * 64,
    names=("disc", "ring"),
    image_size=(64, 64),
    confidence=0.1,
    nms_iou=0.65,
    nms=False,
    half=False,
    version="0",
)
