# SPDX-License-Identifier: Apache-2.0
"""A bar chart as SVG: groups of horizontal bars, each a ratio with its interval, and a line at 1."""

from xml.sax.saxutils import escape

LEFT, WIDTH, RIGHT = 130, 560, 70  # pixels: names of the groups, bars, figures behind them
BAR, GAP, TOP = 13, 12, 16
COLOURS = ("#9aa0a6", "#7cc4b4", "#0b7a5e", "#123f8c", "#e8a33d", "#c65d3b", "#8d5aa8", "#5b6b2f", "#d3679f")


def colour(index):
    return COLOURS[index % len(COLOURS)]


def text(x, y, words, anchor="start", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def bar(y, value, low, high, scale, fill):
    """A bar to the value, a line over its interval as far as the picture goes, the figure behind both."""
    middle = y + BAR / 2
    high = min(high, WIDTH / scale)
    return [f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="{BAR - 2}" fill="{fill}"/>',
            f'<path d="M{LEFT + low * scale:.1f} {middle - 1:.1f}H{LEFT + high * scale:.1f}" stroke="#222"/>',
            text(LEFT + max(value, high) * scale + 4, y + BAR - 3, f"{value:.2f}")]


def bars(title, groups, names):
    """The SVG. `groups` is {group: {name: (ratio, low, high)}}; `names` are those that can occur, in order."""
    scale = WIDTH / max([1.0] + [value for rows in groups.values() for value, _, _ in rows.values()])
    marks, y = [], TOP + BAR + GAP
    for index, name in enumerate(names):
        marks += [f'<rect x="{LEFT}" y="{y}" width="10" height="10" fill="{colour(index)}"/>', text(LEFT + 16, y + 9, name)]
        y += BAR + 3
    y += GAP
    begin = y
    for group, rows in groups.items():
        marks.append(text(LEFT - 8, y + BAR - 3, group, "end"))
        for name in (name for name in names if name in rows):
            marks += bar(y, *rows[name], scale, colour(names.index(name)))
            y += BAR
        y += GAP
    one = LEFT + scale
    marks.append(f'<path d="M{one:.1f} {begin - 4}V{y - GAP + 2}" stroke="#222" stroke-dasharray="3 3"/>')
    width = LEFT + WIDTH + RIGHT
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" '
                      'font-family="sans-serif" font-size="11">',
                      f"<title>{escape(title)}</title>", f'<rect width="{width}" height="{y}" fill="#fff"/>',
                      text(LEFT, TOP + 2, title), *marks, "</svg>"]) + "\n"
