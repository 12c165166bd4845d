"""The fonts that documents are set in: Noto, from packages, so that every machine sets the same letters.

All are under the SIL Open Font License. A script that none of them has needs a font file in `BILLING_FONTS_DIR`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import typst

_PACKAGES = (
    "fontpkg_noto_sans",
    "justmytype_intl_rtl",
    "justmytype_intl_south_asia",
    "justmytype_intl_sea",
    "justmytype_intl_africa",
    "noto_cjk_sans_otc",
)
_FIRST = ("Noto Sans",)
_HAN = {"JP": "JP", "KR": "KR", "TW": "TC", "HK": "HK", "MO": "HK"}
"""Han characters look different by country; all others get those of the mainland."""


def read_fonts(extra: str | None) -> typst.Fonts:
    """Those of the packages, and those of a folder of the owner's. The machine's own play no part."""
    folders = [Path(spec.origin).parent for name in _PACKAGES if (spec := find_spec(name)) and spec.origin]
    if extra:
        folders.append(Path(extra))
    return typst.Fonts(include_system_fonts=False, font_paths=[str(folder) for folder in folders])


def order_of(fonts: typst.Fonts, country: str) -> list[str]:
    """Families by preference for a reader there: Latin first, then each script's own."""
    families = fonts.families()
    han = f"Noto Sans CJK {_HAN.get(country, 'SC')}"
    rest = [name for name in families if name not in (*_FIRST, han) and "CJK" not in name]
    return [*_FIRST, *([han] if han in families else []), *rest]
