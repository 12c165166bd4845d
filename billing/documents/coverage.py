"""Which of the world's scripts no font here has: a letter of each is set, and what the compiler can't show is told."""

from __future__ import annotations

import typst

from billing.documents.fonts import read_fonts
from billing.documents.scripts import missing_letters, scripts_of

_LETTERS = "Āع Ա ব ㄅ Жअ አ ა Ω ગ ਕ 한 漢 ש あ ಕ カ ខ ກ മ မ ଓ ක த తె ހ ไ བ ᠮ Ꭰ ⴰ ꦏ ᨠ ᮊ ᤁ ꯀ ᱚ 𑄌 ߊ ꔀ ᐁ ܐ 😀 ₹ ₿ €"
"""One of each script in wide or official use (Unicode Standard Annex 31, tables 5 and 7), an emoji, signs of money."""


def lacking(fonts_dir: str | None) -> tuple[str, ...]:
    """The scripts of names that documents could only show as boxes, by their English names. Takes a fifth of a second.

    Raises `typst.TypstError` where the compiler fails otherwise.
    """
    source = f'#set document(title: "x", date: none)\n#set text(font: "Noto Sans", lang: "en")\n{_LETTERS}'
    try:
        typst.compile(
            source.encode(),
            format="pdf",
            font_paths=read_fonts(fonts_dir),
            ignore_system_fonts=True,
            pdf_standards=["a-3b"],
            timestamp=0,
        )
    except typst.TypstError as error:
        found = scripts_of(missing_letters(error))
        if not found:
            raise
        return found
    return ()
