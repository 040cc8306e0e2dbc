"""A matplotlib figure as a small SVG that is safe to inline in a page and follows the reader's light or dark scheme.

Text stays text (searchable, scales, small). Colours are written as the light palette; a stylesheet repaints them where the
reader prefers dark, so the same file reads well in any viewer.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """One finished picture: `name` is its file's stem, `reading` one sentence on how to read it, `alt` what it shows."""

    name: str
    title: str
    reading: str
    alt: str
    svg: str

    def standalone(self) -> str:
        """The picture as a file of its own: with its background and its dark scheme inside."""
        head, body = self.svg.split(">", 1)
        dark = f"@media screen and (prefers-color-scheme:dark){{svg{{background:{SURFACE[1]}}}{dark_rules()}}}"
        style = f"<style>svg{{background:{SURFACE[0]}}}{dark}</style>"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}>{style}{body}\n'


# (light, dark) pairs. Every light value is distinct: it is also the key by which the dark stylesheet finds what to repaint.
SURFACE = ("#ffffff", "#17211c")
INK = ("#1c2b24", "#e6efe9")
MUTED = ("#5b6b63", "#a3b5ab")
GRID = ("#e1e8e4", "#2d3b34")
ACCENT = ("#1f7a4d", "#4cc38a")
BLUE = ("#3468c0", "#86adf7")
ORANGE = ("#c2571a", "#f29a63")
_MORE_CLASSES = (
    ("#7b4bb3", "#b896ea"),
    ("#0f8b94", "#4dc6cf"),
    ("#b8397a", "#ee82b5"),
    ("#75720f", "#cfcb5a"),
    ("#4f5f85", "#a9b8dd"),
)
#: Told apart by people with the common kinds of colour blindness in this order; nobody reads more than eight lines.
CLASS_COLOURS = tuple(light for light, _ in (ACCENT, BLUE, ORANGE, *_MORE_CLASSES))
_REPAINTED = (SURFACE, INK, MUTED, GRID, ACCENT, BLUE, ORANGE, *_MORE_CLASSES)

_RC = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class called "$5-$10" is not a formula
    "axes.unicode_minus": True,
    "font.size": 9.5,
    "axes.edgecolor": GRID[0],
    "axes.labelcolor": MUTED[0],
    "axes.linewidth": 1.0,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID[0],
    "grid.linewidth": 0.8,
    "text.color": INK[0],
    "xtick.color": MUTED[0],
    "ytick.color": MUTED[0],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "path.simplify_threshold": 0.5,
}


@contextmanager
def axes(width: float = 5.6, height: float = 4.0) -> Iterator[tuple[Figure, Axes]]:
    """A figure in the house style, `width` x `height` inches. No pyplot: nothing global is left behind."""
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        subplot = figure.add_subplot()
        subplot.set_facecolor("none")
        yield figure, subplot


@contextmanager
def panels(count: int, across: int, above: float, below: float) -> Iterator[tuple[Figure, list[Axes]]]:
    """As `axes`, with `count` small subplots that share their y axis, `across` side by side, 7.2 inches wide together.

    above: inches kept free over them for a legend. below: inches under each for the labels of its x axis. Places are set and
    not found by trying, which takes matplotlib longer than all the rest.
    """
    down = -(-count // across)
    width, height, pitch = 7.2, above + down * (2.0 + below), 6.4 / across
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height), facecolor="none")
        FigureCanvasSVG(figure)
        grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel().tolist()
        for spare in grid[count:]:
            figure.delaxes(spare)
        for place, subplot in enumerate(grid[:count]):
            row, column = divmod(place, across)
            bottom = height - above - (row + 1) * (2.0 + below) + below
            subplot.set_position(((0.7 + column * pitch) / width, bottom / height, (pitch - 0.3) / width, 1.7 / height))
            subplot.set_facecolor("none")
        yield figure, grid[:count]


def to_svg(figure: Figure, name: str, title: str, alt: str) -> str:
    """Render `figure`. `name` makes ids unique among plots inlined in one page; `alt` is what a screen reader says."""
    buffer = io.StringIO()
    with matplotlib.rc_context({**_RC, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's own fonts draw the text
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^<>]+>", lambda tag: _tidy_tag(tag[0], name), svg)
    svg = _share_marker_style(re.sub(r">\s+<", "><", svg))
    svg = svg.replace("*{stroke-linejoin", "svg *{stroke-linejoin", 1)
    head, body = svg.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head) + f' role="img" aria-labelledby="{name}-title {name}-desc"'
    words = f'<title id="{name}-title">{escape(_xml(title))}</title><desc id="{name}-desc">{escape(_xml(alt))}</desc>'
    return f"{head}>{words}{body}"


def dark_rules() -> str:
    """CSS rules that repaint every palette colour for a dark scheme, to stand inside a media query."""
    return "".join(
        f'svg [style*="{kind}: {light}"]{{{kind}:{dark} !important}}' for light, dark in _REPAINTED for kind in ("fill", "stroke")
    )


def label(text: object, longest: int = 24) -> str:
    """A name from the data as it may stand in a plot: one line, not too long."""
    line = _xml(text).strip()
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    return "\u200b" + line if line.startswith("_") else line  # matplotlib hides legend entries that start with "_"


def _xml(text: object) -> str:
    """Without the characters that XML cannot hold, and on one line."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", " ", str(text))


def _tidy_tag(tag: str, name: str) -> str:
    """One tag (never the text between tags, which may hold anything the data holds): own ids, system font, short numbers."""
    tag = re.sub(r'(\s)id="([^"]+)"', rf'\1id="{name}-\2"', tag)
    tag = re.sub(r'(href="|url\()#', rf"\1#{name}-", tag)
    tag = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: system-ui, sans-serif", tag)
    tag = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", tag)
    tag = re.sub(r'\s?transform="rotate\(-0 [^)]*\)"', "", tag)
    return re.sub(r"(-?\d+\.\d{2})\d+", r"\1", tag)


def _share_marker_style(svg: str) -> str:
    """matplotlib repeats the style on each of a thousand markers; said once on their group it is a third of the bytes."""

    def hoist(match: re.Match[str]) -> str:
        uses = match[2]
        styles = set(re.findall(r' style="([^"]*)"', uses))
        if len(styles) != 1:
            return match[0]
        return f'{match[1]} style="{styles.pop()}">' + re.sub(r' style="[^"]*"', "", uses)

    return re.sub(r'(<g clip-path="[^"]*")>((?:\s*<use [^>]*/>){2,})', hoist, svg)
