"""Charts as SVG, made here and without script. Each is an image with a name; beside it the page has the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _HEIGHT, _FOOT = 960, 170, 22
_GAP = 0.28


@dataclass(frozen=True, slots=True)
class Bar:
    """One place on the axis with its two amounts, in the same unit."""

    label: str
    first: int
    second: int


def pairs(bars: Sequence[Bar], *, name: str, first: str, second: str) -> Markup:
    """Two bars a place, side by side. `name` says what it shows; the others are classes of the style sheet."""
    top = max([1, *(max(bar.first, bar.second) for bar in bars)])
    step = _WIDTH / max(1, len(bars))
    room, half = _HEIGHT - _FOOT, step * (1 - _GAP) / 2
    drawn = []
    for place, bar in enumerate(bars):
        left = place * step + step * _GAP / 2
        drawn += [
            _rect(left, half, bar.first * room / top, first),
            _rect(left + half, half, bar.second * room / top, second),
        ]
        if len(bars) <= 16 or place % 2 == 0:
            drawn.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    place * step + step / 2, _HEIGHT - 6, bar.label
                )
            )
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, name, Markup("").join(drawn)
    )


def _rect(left: float, width: float, height: float, kind: str) -> Markup:
    # A bar that is there is seen, however small it is beside the others.
    tall = max(height, 1.5) if height > 0 else 0
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"/>').format(
        kind, left, _HEIGHT - _FOOT - tall, max(width - 1, 1), tall
    )
