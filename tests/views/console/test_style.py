"""The style sheet: what is read stands out from its ground as WCAG 2.2 asks (1.4.3, 1.4.11), by day and by night."""

from __future__ import annotations

import re

import pytest

from billing.views.console.charts import Bar, pairs
from billing.views.console.rendering import ASSETS

CSS = (ASSETS / "console.css").read_text()
TEXT, SHAPE = 4.5, 3.0
SCHEMES = {"light": 0, "dark": 1}

READ = {
    "ink": ("ground", "sheet", "hover", "plain-ground", "wait-ground"),
    "soft": ("ground", "sheet", "hover"),
    "link": ("ground", "sheet", "hover", "here", "wait-ground", "bad-ground"),
    "good": ("good-ground",),
    "wait": ("wait-ground",),
    "bad": ("bad-ground", "sheet", "hover"),
    "on-main": ("main", "main-dark"),
}
SEEN = {"edge": ("sheet", "ground"), "focus": ("sheet", "ground"), "seal": ("sheet",), "collected": ("sheet",)}
"""Borders of fields, the ring of the focus, bars: what tells something without being read."""


def colours(scheme: str) -> dict[str, str]:
    """The variables of a scheme, where the dark one changes those of the light one."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found: dict[str, str] = {}
    for block in blocks[: SCHEMES[scheme] + 1]:
        found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block))
    return found


def luminance(colour: str) -> float:
    """Relative luminance of sRGB, as WCAG 2.2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_that_of_the_definition() -> None:
    assert contrast("#000000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("pairs_", "least"), [(READ, TEXT), (SEEN, SHAPE)], ids=["text", "shapes"])
def test_everything_stands_out_from_its_ground(scheme: str, pairs_: dict[str, tuple[str, ...]], least: float) -> None:
    known = colours(scheme)
    faint = {
        f"{name} on {ground}": round(contrast(known[name], known[ground]), 2)
        for name, grounds in pairs_.items()
        for ground in grounds
        if contrast(known[name], known[ground]) < least
    }
    assert faint == {}


def test_every_colour_has_a_name_and_a_night_of_its_own() -> None:
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", rules) == []
    day, night = (re.findall(r"--([a-z-]+):", block) for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL))
    assert set(day) == set(night)


def test_a_chart_names_itself_and_shows_even_the_smallest_amount() -> None:
    drawn = str(pairs([Bar("01-01", 1_000_000, 1), Bar("01-02", 0, 0)], name="Billed", first="a", second="b"))
    assert 'aria-label="Billed"' in drawn
    heights = [float(each) for each in re.findall(r'height="([0-9.]+)"', drawn)]
    assert min(each for each in heights if each) >= 1.5
    assert heights.count(0) == 2
