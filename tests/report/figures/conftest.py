from collections.abc import Callable

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def words() -> Callable[[Figure | None], list[str]]:
    """The lines of text in a figure, in drawing order, and the lines below its axis."""

    def read(figure: Figure | None) -> list[str]:
        axes = figure.axes[0]
        return [*(text.get_text() for text in axes.texts), *axes.get_xlabel().splitlines()]

    return read
