# SPDX-License-Identifier: Apache-2.0
"""Picture files: what all of them have alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.errors import ToolError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches to draw on, which is written to ``path``; its suffix chooses the format.

    What is drawn alike is the same file: it has no dates and no random ids. Raises UsageError for another
    format and ToolError without matplotlib.
    """
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: pictures are {', '.join(FORMATS)}", "choose one of these suffixes")
    try:
        import matplotlib as mpl
        from matplotlib import figure
    except ImportError as error:
        raise ToolError("pictures need matplotlib", "pip install 'tinyserve[report]'") from error
    with mpl.rc_context({"svg.hashsalt": "tinyserve", "svg.fonttype": "none"}):
        made = figure.Figure(figsize=(width, height), layout="constrained")
        yield made
        metadata = {"Date": None} if path.suffix == ".svg" else None
        made.savefig(path, dpi=150, metadata=metadata)
