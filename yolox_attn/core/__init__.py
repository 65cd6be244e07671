"""Training: YOLOX's loop made device-neutral, its checkpoints and its record."""

from yolox_attn.core.checkpoint import read_checkpoint, save_checkpoint
from yolox_attn.core.optimizer import build_sgd, parameter_groups
from yolox_attn.core.trainer import AttentionTrainer
from yolox_attn.core.weights import load_weights

__all__ = [
    "AttentionTrainer",
    "build_sgd",
    "load_weights",
    "parameter_groups",
    "read_checkpoint",
    "save_checkpoint",
]
