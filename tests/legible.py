"""What a reader would see wrong in a figure, from what matplotlib would put on paper."""

from itertools import combinations

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.transforms import Bbox

from benchmark.report.look import STYLE

# of a text's height: letters have room around them
_ROOM = 0.12
# pixels of a written picture's side
_MOST = 5000
# pixels by which a point may be out by rounding
_OUT = 1.0


def faults(figure):
    """Lines, none for a figure that can be read."""
    with rc_context(STYLE):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        shown = list(_shown(figure, renderer))
        found = [f"raw mathematics: {text!r}" for text, _ in shown if "$" in text]
        found += _overlaps(shown)
        for axes in figure.axes:
            found += _cut(axes)
            if axes.axison:
                found += _few_ticks(axes, "x") + _few_ticks(axes, "y")
        found += _legends(figure, renderer)
        box = figure.get_tightbbox(renderer)
        # what is written is this box
        paper = Bbox(box.get_points() * figure.dpi).padded(_OUT)
        found += [f"{text!r} is not on the paper" for text, at in shown if not _within(at, paper)]
        if max(box.width, box.height) * STYLE["savefig.dpi"] > _MOST:
            found.append(f"{box.width:.0f} by {box.height:.0f} inches")
    return found


def _shown(figure, renderer):
    """Texts that are drawn, with their boxes."""
    every = [*figure.texts, *(t for legend in _every_legend(figure) for t in legend.get_texts())]
    for axes in figure.axes:
        every += [axes.title, *axes.texts]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                every += [axis.label, axis.get_offset_text()]
                # of all ticks only those within the axis are drawn
                every += [t for tick in axis._update_ticks() for t in (tick.label1, tick.label2)]
    for text in every:
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), text.get_window_extent(renderer)


def _overlaps(shown):
    for (one, a), (other, b) in combinations(shown, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        deep = min(a.y1, b.y1) - max(a.y0, b.y0)
        room = _ROOM * min(a.height, b.height)
        if wide > room and deep > room:
            yield f"{one!r} over {other!r}"


def _within(box, other):
    return other.x0 <= box.x0 and box.x1 <= other.x1 and other.y0 <= box.y0 and box.y1 <= other.y1


def _points(axes):
    """What is drawn in the axes, each with its points in pixels."""
    for line in axes.lines:
        yield line, line.get_transform().transform(line.get_xydata())
    for found in axes.collections:
        if isinstance(found, PathCollection):
            yield found, found.get_offset_transform().transform(found.get_offsets())
        else:
            for path in found.get_paths():
                yield found, found.get_transform().transform(path.vertices)
    for patch in axes.patches:
        yield patch, patch.get_window_extent().get_points()


def _cut(axes):
    """What is drawn beyond the axes is not seen."""
    box = axes.bbox.padded(_OUT)
    for drawn, points in _points(axes):
        known = points[np.isfinite(points).all(1)]
        if drawn.get_visible() and not all(box.contains(*point) for point in known):
            yield f"{drawn} goes on beyond its axes"


def _few_ticks(axes, side):
    """Of numbers two or more; names may be one. Panels may have the labels of a neighbour."""
    texts = _labels(axes, side)
    if not texts:
        siblings = getattr(axes, f"get_shared_{side}_axes")().get_siblings(axes)
        beside = [a for a in siblings if a.axison and _in_line(a, axes, side)]
        return [] if any(_labels(a, side) for a in beside) else [f"{side} of {axes}: no labels"]
    names = any(text.strip("\u2212-0123456789.kMGmu") for text in texts)
    return [] if names or len(texts) > 1 else [f"ticks {texts} of {side} of {axes}"]


def _labels(axes, side):
    ticks = getattr(axes, f"{side}axis")._update_ticks()
    every = [label for t in ticks for label in (t.label1, t.label2)]
    return [t.get_text() for t in every if t.get_visible() and t.get_text()]


def _in_line(one, other, side):
    a, b = (getattr(axes.bbox, f"interval{side}") for axes in (one, other))
    return np.allclose(a, b, atol=_OUT)


def _every_legend(figure):
    return [*figure.legends, *filter(None, (axes.get_legend() for axes in figure.axes))]


def _legends(figure, renderer):
    drawn = [points for axes in figure.axes for _, points in _points(axes)]
    for legend in _every_legend(figure):
        box = legend.get_window_extent(renderer)
        if any(box.contains(*point) for points in drawn for point in points):
            yield f"{legend} over what is drawn"
        if bars := legend.findobj(LineCollection):
            yield f"legend handle with bars: {bars}"
