"""A run of a minute's work made in a second: trained once, with boxes at any confidence."""

from pathlib import Path

from planned import write_exp

from yolox_attn.cli.train import main as train


def short_run(data: Path, place: Path) -> Path:
    """Train the tiny detector with cam for an epoch below `place`; return the run's folder."""
    lines = ("self.max_epoch, self.warmup_epochs, self.test_conf = 1, 0, 0.0",)
    exp = write_exp(place, "tiny", *lines, "self.attention = 'cam'")
    words = ["-f", exp, "--data", str(data), "--device", "cpu", "-b", "4", "--seed", "0"]
    assert train([*words, "output_dir", str(place / "out")]) == 0
    return place / "out/tiny/seed0"
