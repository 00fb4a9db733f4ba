"""How every picture looks: one palette, one set of lines and letters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from understudy.errors import MissingExtraError
from understudy.run.files import write_whole

INK, SOFT, FAINT, PAPER = "#22272e", "#6b7480", "#d9dee4", "#ffffff"

BLUE, ORANGE, GREEN, PURPLE, SKY, GRAY = (
    "#2369a8",
    "#d5731c",
    "#2a8f74",
    "#9a6aa8",
    "#6cb2e0",
    "#9aa3ad",
)
"""Told apart by people with any kind of color vision, and by lightness when printed in gray
(after Okabe and Ito, 2008)."""

SERIES = (BLUE, SKY, ORANGE, PURPLE)

DPI = 144
"""Dots per inch: a picture of nine inches is sharp on a page and on a screen with fine dots."""

STYLE: Any = {
    "axes.edgecolor": FAINT,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": SOFT,
    "axes.labelsize": 9.5,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 10.5,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": "#eceff2",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "text.parse_math": False,  # a name with dollars in it is a name
    "xtick.color": FAINT,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": 9,
    "ytick.color": FAINT,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
}


@contextmanager
def canvas(path: Path, width: float, height: float, title: str) -> Iterator[Any]:
    """A figure to draw on, which is written when all of it is drawn.

    Args:
        path: The PNG file; what was there stays until the new picture is whole.
        width: Inches.
        height: Inches.
        title: What the picture shows, in words.

    Raises:
        MissingExtraError: matplotlib is not installed.
        CheckpointError: The file cannot be written.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtraError("pictures", "plots") from error
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        spaced = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, wspace=0.04, hspace=0.05)
        figure = Figure(figsize=(width, height), dpi=DPI, layout=spaced)
        FigureCanvasAgg(figure)
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold", color=INK)
        yield figure
        drawn = BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": "understudy"})
    write_whole(path, drawn.getvalue())


def width_of(path: Path) -> int:
    """How wide a PNG file of ours should be shown, in CSS pixels, of which an inch has 96."""
    with path.open("rb") as file:
        head = file.read(24)
    return int.from_bytes(head[16:20]) * 96 // DPI


def thousands(axis: Any) -> None:
    """Ticks of an axis as whole numbers with commas."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace("-", "−")))


def percents(axis: Any) -> None:
    """Ticks of an axis that shows shares."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def grid_of(count: int, columns: int) -> tuple[int, int]:
    """Rows and columns for `count` panels, at most `columns` side by side, no row nearly empty."""
    rows = max(1, -(-count // columns))
    return rows, max(1, -(-count // rows))
