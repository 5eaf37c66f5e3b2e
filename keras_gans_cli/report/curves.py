"""Curves as SVG, drawn without a library."""

import math
from dataclasses import dataclass

from keras_gans_cli.report.markup import text

WIDTH, HEIGHT = 460, 220  # of a chart, in units of its viewBox
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 26  # margins; the numbers of the axes stand in the left and the bottom one
INTERVALS = 5  # between the lines of an axis, about
MARKED = 60  # points of a curve that are marked; longer curves are lines alone
LARGEST = 1e100  # numbers beyond it are not drawn
SMALLEST = 1e-100  # numbers that differ by less are drawn as one
COLOURS = 6  # in the style sheet; further curves are dashed


@dataclass(frozen=True)
class Axes:
    """The scales of a chart: epochs from `first` to `last` along it, and up it values, with lines at the round numbers
    `values`, from the lowest one to the highest."""

    first: float
    last: float
    values: tuple

    def place(self, epoch, value):
        """Where a point is drawn: (x, y), with y downwards.

        >>> Axes(1, 3, (0.0, 1.0)).place(2, 0.5)
        (256.0, 102.0)
        """
        x = (epoch - self.first) / (self.last - self.first)
        y = (value - self.values[0]) / (self.values[-1] - self.values[0])
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def is_drawn(value):
    """Whether a logged value is a point of a curve: a number that is neither NaN nor beyond all scales."""
    return type(value) in (int, float) and abs(value) < LARGEST


def axes(curves, epochs):
    """The `Axes` that hold all curves, `[(epoch, value or None), ...]`, of runs with up to `epochs` epochs."""
    values = [value for points in curves for _, value in points if value is not None]
    low, high = min(values), max(values)
    if high - low <= max(1e-6 * max(abs(low), abs(high)), SMALLEST):  # a constant is drawn in the middle
        pad = abs(low) / 2 if abs(low) > SMALLEST else 1.0
        low, high = low - pad, high + pad
    return Axes(1, max(epochs, 2), tuple(_lines(low, high)))


def chart(curves, axes, title):
    """A chart as an SVG element.

    Args:
        curves: {name: [(epoch, value), ...]}; where a value is None, the curve has a gap.
        axes: the `Axes`, which charts side by side share.
        title: what a screen reader says.
    """
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}">']
    for value in axes.values:
        _, y = axes.place(axes.first, value)
        parts.append(f'<path class="line" d="M{LEFT} {y:.2f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="up" x="{LEFT - 6}" y="{y + 4:.2f}">{value:.8g}</text>')
    for epoch in _lines(axes.first, axes.last, whole=True):
        if axes.first <= epoch <= axes.last:
            x, _ = axes.place(epoch, axes.values[0])
            parts.append(f'<text class="along" x="{x:.2f}" y="{HEIGHT - 8}">{epoch:.0f}</text>')
    parts.append(f'<text class="up" x="{LEFT - 6}" y="{HEIGHT - 8}">epoch</text>')
    for i, (name, points) in enumerate(curves.items()):
        parts.append(_curve(name, points, axes, style(i)))
    return "".join([*parts, "</svg>"])


def style(index):
    """The classes of a chart's curve by its place in the chart."""
    return f"curve c{index % COLOURS}" + (" dashed" if index % (2 * COLOURS) >= COLOURS else "")


def _curve(name, points, axes, classes):
    marks, path, goes_on = [], [], False
    for epoch, value in points:
        if value is None:
            goes_on = False
            continue
        x, y = axes.place(epoch, value)
        path.append(f"L{x:.2f} {y:.2f}" if goes_on else f"M{x:.2f} {y:.2f}h0")  # h0 shows a point between two gaps
        goes_on = True
        if len(points) <= MARKED:
            said = text(f"epoch {epoch}: {name} {value:.6g}")
            marks.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="2.5"><title>{said}</title></circle>')
    return f'<g class="{classes}"><path d="{"".join(path)}"/>{"".join(marks)}</g>'


def _lines(low, high, whole=False):
    """Round numbers at equal distances, the first at or below `low` and the last at or above `high`."""
    rough = (high - low) / INTERVALS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]
