"""Is a difference real? AP of resampled image sets, intervals and verdicts; no torch, no YOLOX."""
