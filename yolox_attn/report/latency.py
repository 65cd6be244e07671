"""How long each variant's model takes for an image, measured here and now on one device."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from yolox_attn.cost import latency, parameters
from yolox_attn.device import describe
from yolox_attn.errors import InputError
from yolox_attn.exp.rebuild import exp_of, restore
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.load_runs import Run, by_variant
from yolox_attn.runs import RunRecord


def measure_latency(
    comparison: Comparison, runs: Sequence[Run], *, device: torch.device, repeats: int
) -> Comparison:
    """Return `comparison` with the latency of every model that can be built again.

    A model that cannot gets a note that says why; an untrained model takes as long as a trained
    one, so no checkpoint is read.

    Raises:
        InputError: the comparison is of external detections: there is no model to time.
    """
    if comparison.test_size is None:
        raise InputError("external detections come without a model: no latency to measure")
    models: dict[str, nn.Module] = {}
    notes = []
    records = {name: group[0].record for name, group in by_variant(runs).items()}
    for variant in comparison.variants:
        try:
            models[variant.name] = rebuild(records[variant.name])
        except InputError as error:
            notes.append(f"{variant.name}: latency not measured: {error}.")
        except Exception as error:  # noqa: BLE001 - an Exp or block of the user's: the note says it
            why = f"{type(error).__name__}: {error}"
            notes.append(f"{variant.name}: latency not measured, its model cannot be built: {why}.")
    timed = latency(models, comparison.test_size, device=device, repeats=repeats)
    height, width = comparison.test_size
    if timed:
        notes.append(
            f"Latency: median of {repeats} passes in turns (10th to 90th percentile), one image of "
            f"{height}x{width} in fp32, on {describe(device)}, {torch.get_num_threads()} threads; "
            "without box suppression."
        )
    variants = [replace(each, latency=timed.get(each.name)) for each in comparison.variants]
    return replace(comparison.noted(*notes), variants=tuple(variants))


def rebuild(record: RunRecord) -> nn.Module:
    """Return the run's model with fresh values, in the run's memory format.

    Raises:
        InputError: the Exp file is gone, has changed, fails, or builds another model.
    """
    exp = exp_of(record)
    restore(exp, record)
    model: nn.Module = exp.get_model()
    if (now := parameters(model)) != record.parameters:
        raise InputError(
            f"{record.exp_file or record.exp_name_arg} now builds {now:,} parameters, "
            f"the run had {record.parameters:,}"
        )
    if record.memory_format == "channels_last":
        model = model.to(memory_format=torch.channels_last)
    return model
