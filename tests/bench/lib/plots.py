# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Plots as SVG, without a library: bars, and lines on logarithmic scales."""

import math
from xml.sax.saxutils import escape

OURS, OTHERS = "#1b6ca8", "#b8bfc6"
COLOURS = ("#1b6ca8", "#d1495b", "#3a8f5c", "#e0a030", "#7a5195", "#5c6770", "#00a0a0", "#a05010")
FONT = "font-family=\"system-ui, sans-serif\""
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def text(x, y, words, size=12, anchor="start", colour="#222", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" {FONT}'
            f'{" " + extra if extra else ""}>{escape(words)}</text>')


def line(x1, y1, x2, y2, colour="#ddd", width=1, dashes=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashes}/>')


def write(path, width, height, shapes):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                   f'viewBox="0 0 {width} {height}">\n<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->\n'
                   f'<rect width="{width}" height="{height}" fill="#fff"/>\n')
        file.write("\n".join(shapes) + "\n</svg>\n")


def bars(path, title, rows, note):
    """rows: (label, value, whether it is ours)"""
    left, width, step, top = 390, 900, 22, 60
    height = top + step * len(rows) + 16
    longest = max(max(row[1] for row in rows), 1)
    scale = (width - left - 80) / longest
    shapes = [text(16, 26, title, 16), text(16, 45, note, 12, colour="#666")]
    for index, (label, value, ours) in enumerate(rows):
        y = top + index * step
        shapes.append(text(left - 8, y + 14, label, 12, "end"))
        shapes.append(f'<rect x="{left}" y="{y + 3}" width="{max(value, 0) * scale:.1f}" height="15" '
                      f'fill="{OURS if ours else OTHERS}"/>')
        shapes.append(text(left + max(value, 0) * scale + 6, y + 14, f"{value:,.0f}", 12))
    write(path, width, height, shapes)


def power(exponent):
    return "10" + str(exponent).translate(SUPERSCRIPTS) if abs(exponent) > 3 else f"{10.0 ** exponent:g}"


class Axes:
    """Both scales logarithmic."""

    def __init__(self, series, box):
        self.box = box
        xs = [x for _, points in series for x, y in points if y > 0]
        ys = [y for _, points in series for x, y in points if y > 0]
        self.x_low, self.x_high = self.bounds(xs)
        self.y_low, self.y_high = self.bounds(ys)

    @staticmethod
    def bounds(values):
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return low, high if high > low else low + 1

    def x(self, value):
        left, _, right, _ = self.box
        return left + (math.log10(value) - self.x_low) / (self.x_high - self.x_low) * (right - left)

    def y(self, value):
        _, top, _, bottom = self.box
        return bottom - (math.log10(value) - self.y_low) / (self.y_high - self.y_low) * (bottom - top)

    def grid(self, x_words, name_x=power):
        left, top, right, bottom = self.box
        shapes = []
        for exponent in range(self.x_low, self.x_high + 1):
            x = self.x(10.0 ** exponent)
            shapes += [line(x, top, x, bottom), text(x, bottom + 18, name_x(exponent), 11, "middle")]
        for exponent in range(self.y_low, self.y_high + 1):
            y = self.y(10.0 ** exponent)
            shapes += [line(left, y, right, y), text(left - 6, y + 4, power(exponent), 11, "end")]
        shapes.append(text((left + right) / 2, bottom + 38, x_words, 12, "middle"))
        return shapes


def lines(path, title, series, x_words, y_words, note="", name_x=power, pairs=False):
    """series: (label, [(x, y), ...]). pairs: two after each other have one colour, and the second is dashed."""
    series = [(label, [(x, y) for x, y in points if x > 0 and y > 0]) for label, points in series]
    series = [entry for entry in series if entry[1]]
    width, height, legend = 860, 440, 250
    axes = Axes(series, (80, 70, width - legend, height - 60))
    shapes = [text(16, 26, title, 16), text(16, 45, note, 12, colour="#666"), *axes.grid(x_words, name_x),
              text(0, 0, y_words, 12, "middle", extra=f'transform="translate(22 {height / 2}) rotate(-90)"')]
    for index, (label, points) in enumerate(series):
        colour = COLOURS[(index // 2 if pairs else index) % len(COLOURS)]
        dashes = ' stroke-dasharray="5 3"' if pairs and index % 2 else ""
        path_points = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
        shapes.append(f'<polyline points="{path_points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        y = 80 + index * 20
        shapes += [line(width - legend + 14, y, width - legend + 40, y, colour, 3, dashes),
                   text(width - legend + 46, y + 4, label, 12)]
    write(path, width, height, shapes)
