"""Where an exported network first departs from the one it was made of."""

from typing import Any

import torch
from torch import Tensor, fx
from torch.onnx.verification import VerificationInfo

NOTICEABLE = 1e-3  # relative, and absolute: hundreds of roundings


def first_departing(program: torch.onnx.ONNXProgram, images: Tensor) -> str | None:
    """Return the first value of the ONNX program that is not torch's; None if each inside it is.

    As `torch.onnx.verification.verify_onnx_program` does, but with all values in one pass: it makes
    a session for each, which takes minutes.

    Args:
        program: as it was traced.
        images: (2 or more, 3, H, W).
    """
    if program.exported_program is None:
        return None
    recorder = Recorder(program.exported_program.module())
    recorder.run(images)
    graph = program.model.graph
    known = {value.name for node in graph for value in node.outputs}
    names = [name for name in recorder.values if name in known]
    for name, theirs in zip(names, program.compute_values(names, (images,)), strict=True):
        found = VerificationInfo.from_tensors(name, recorder.values[name], theirs)
        if found.max_abs_diff > NOTICEABLE and found.max_rel_diff > NOTICEABLE:
            return f"{name} (by up to {found.max_abs_diff:.2g})"
    return None


class Recorder(fx.Interpreter):
    """Runs a traced network and keeps what each of its operations gives.

    Attributes:
        values: name of the operation -> its tensor, in the order of their computation.
    """

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op == "call_function" and isinstance(result, Tensor):
            self.values[n.name] = result.detach().clone()
        return result
