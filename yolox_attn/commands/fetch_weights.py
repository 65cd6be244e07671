"""`fetch_weights`: YOLOX's published weights, checked."""

from pathlib import Path

from tqdm import tqdm

from yolox_attn.console import echo
from yolox_attn.exp import published
from yolox_attn.runs import file_hash


def fetch(size: str, folder: Path) -> int:
    """Fetch, check and keep the weights of a size; returns the exit code.

    Raises:
        InputError: as `published.fetch`.
    """
    with tqdm(unit="B", unit_scale=True, leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        path = published.fetch(size, folder, progress=progress)
    echo(f"{path}: sha256 {file_hash(path)}")
    return 0
