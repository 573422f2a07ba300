"""What a reader would see wrong in a figure, from what matplotlib would put on paper."""

from itertools import combinations

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer

from benchmark.report.look import STYLE

# of a text's height: letters have room around them
_ROOM = 0.12
# pixels of a picture's side
_MOST = 5000


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
            if axes.axison:
                found += _few_ticks(axes.xaxis) + _few_ticks(axes.yaxis) + _legend(axes)
        box = figure.get_tightbbox(renderer)
        if max(box.width, box.height) * figure.dpi > _MOST:
            found.append(f"{box.width:.0f} by {box.height:.0f} inches")
    return found


def _shown(figure, renderer):
    """Texts that are drawn, with their boxes."""
    every = [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
    for axes in figure.axes:
        legend = axes.get_legend()
        every += [axes.title, *axes.texts, *(legend.get_texts() if legend else ())]
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


def _few_ticks(axis):
    """Of numbers two or more; names may be one."""
    ticks = axis._update_ticks()
    texts = [t.label1.get_text() for t in ticks if t.label1.get_visible()]
    # panels that share an axis with a neighbour have its labels
    if not any(texts):
        return []
    names = any(text.strip("\u2212-0123456789.kMGmu") for text in texts)
    return [] if names or len(list(filter(None, texts))) > 1 else [f"ticks {texts} of {axis}"]


def _legend(axes):
    handles = axes.get_legend_handles_labels()[0] if axes.get_legend() else []
    return [f"legend handle with bars: {h}" for h in handles if isinstance(h, ErrorbarContainer)]
