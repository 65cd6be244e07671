"""What makes two runs the same experiment: shared by resuming and by comparing."""

from collections.abc import Mapping
from typing import Any

# Settings that change where things lie, how often they are told, or how fast they come, not what
# is learnt. Annotation files are compared by what is in them; the seed is told by itself.
COSMETIC = frozenset(
    {
        "data_dir",
        "data_num_workers",
        "eval_interval",
        "exp_name",
        "output_dir",
        "print_interval",
        "save_history_ckpt",
        "seed",
        "test_ann",
        "test_name",
        "train_ann",
        "val_ann",
    }
)


def identify_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies the data: their hashes, and where there are none, their place.

    Args:
        data: as in `RunRecord.data`.
    """
    keys = ("train_sha256", "val_sha256", "train_files", "val_files", "train_images", "val_images")
    identity = {key: data.get(key) for key in keys}
    if not (identity["train_sha256"] and identity["val_sha256"]):
        identity |= {"dir": data.get("dir")}
        identity |= {f"{split} annotations": data.get(f"{split}_ann") for split in ("train", "val")}
    return identity
