import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures import draw


@pytest.fixture
def words() -> Callable[[Comparison, str], list[str]]:
    """The lines of text in one figure, in drawing order."""

    def read(comparison: Comparison, name: str) -> list[str]:
        root = ET.fromstring(draw(comparison)[name])
        return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]

    return read
