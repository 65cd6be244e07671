"""Training: YOLOX's loop made device-neutral, its checkpoints and its record."""

from yolox_attn.core.checkpoint import load_weights, read_checkpoint, save_checkpoint
from yolox_attn.core.optimizer import build_sgd, parameter_groups
from yolox_attn.core.trainer import AttentionTrainer

__all__ = [
    "AttentionTrainer",
    "build_sgd",
    "load_weights",
    "parameter_groups",
    "read_checkpoint",
    "save_checkpoint",
]
