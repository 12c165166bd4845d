"""A document as PDF/A-3b, by Typst. The same view gives the same bytes.

A text with a letter that no font has makes PDF/A impossible, and a draft has no date that it asks for: then it is a
plain PDF, and says so in its keywords.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import typst

from billing.documents.fonts import order_of, read_fonts
from billing.documents.scripts import missing_letters, scripts_of
from billing.documents.view import View

ARCHIVABLE = "a-3b"
LACKS_A_FONT = "plain PDF: a letter in it has no font here"
NOT_ISSUED = "plain PDF: a draft"
"""Keywords of files that are no PDF/A."""
_TEMPLATE = Path(__file__).parent / "document.typ"
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Pdf:
    """The file. `archivable`: it is PDF/A-3b. Letters of the scripts for which it `lacks` fonts show as boxes."""

    content: bytes
    archivable: bool
    lacks: tuple[str, ...] = ()


def pdf(view: View, *, country: str, fonts_dir: str | None = None) -> Pdf:
    """Set the document for a reader in `country` (which decides how Han characters look).

    One at a time in a process. Raises `typst.TypstError` where the template itself is wrong.
    """
    with _LOCK:
        compiler, fonts = _compiler(fonts_dir)
        families = json.dumps(order_of(fonts, country))
        if view.issued_on is None:
            return Pdf(_compiled(compiler, view, families, plain=NOT_ISSUED), archivable=False)
        try:
            return Pdf(_compiled(compiler, view, families), archivable=True)
        except typst.TypstError as error:
            lacks = scripts_of(missing_letters(error))
            if not lacks:
                raise
        return Pdf(_compiled(compiler, view, families, plain=LACKS_A_FONT), archivable=False, lacks=lacks)


def _compiled(compiler: typst.Compiler, view: View, families: str, *, plain: str | None = None) -> bytes:
    """As PDF/A, or as what the keyword `plain` says."""
    inputs = {
        "document": json.dumps(view.as_data(), ensure_ascii=False),
        "fonts": families,
        "keywords": json.dumps([plain] if plain else []),
    }
    made = compiler.compile(
        format="pdf",
        sys_inputs=inputs,
        pdf_standards=[] if plain else [ARCHIVABLE],  # type: ignore[list-item]
        timestamp=0,
    )
    assert isinstance(made, bytes)
    return made


@lru_cache(maxsize=1)
def _compiler(fonts_dir: str | None) -> tuple[typst.Compiler, typst.Fonts]:
    """One a process: fonts are read once. Whatever the template asks for must lie in this folder."""
    fonts = read_fonts(fonts_dir)
    compiler = typst.Compiler(
        input=str(_TEMPLATE), root=str(_TEMPLATE.parent), font_paths=fonts, ignore_system_fonts=True
    )
    return compiler, fonts


os.register_at_fork(after_in_child=_compiler.cache_clear)
