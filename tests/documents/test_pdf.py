"""The PDF: PDF/A in the scripts of the world, the same bytes each time, and plain where a letter has no font."""

from __future__ import annotations

import re

from billing.documents.coverage import lacking
from billing.documents.pdf import LACKS_A_FONT, NOT_ISSUED, pdf
from billing.documents.view import view
from tests.documents.samples import document, group, line

_WORLD = "株式会社 中文 한국어 شركة עברית परीक्षण বাংলা தமிழ் తెలుగు ไทย ລາວ ខ្មែរ မြန်မာ አማርኛ Ελλάς Київ Việt ქართ"


def test_documents_in_the_worlds_scripts_are_pdf_a_and_the_same_each_time() -> None:
    told = view(document([line(description=_WORLD)], [group(3000, 570)]), language="en")
    made, again = pdf(told, country="JP"), pdf(told, country="JP")
    assert made.archivable
    assert re.search(rb"pdfaid:part>3<|pdfaid:part=\"3\"", made.content)
    assert made == again


def test_a_letter_without_a_font_makes_a_plain_pdf_that_says_so() -> None:
    told = view(document([line(description="ગુજરાત")], [group(3000, 570)]), language="en")
    made = pdf(told, country="IN")
    assert made.lacks == ("Gujarati",)
    assert not made.archivable
    assert LACKS_A_FONT.encode() in made.content


def test_a_draft_has_no_date_and_is_a_plain_pdf_that_says_so() -> None:
    draft = document([line()], [group(3000, 570)], number=None, issued_at=None, status="draft")
    made = pdf(view(draft, language="en"), country="DE")
    assert (made.archivable, made.lacks, made.content[:5]) == (False, (), b"%PDF-")
    assert NOT_ISSUED.encode() in made.content


def test_markup_in_a_name_stays_a_name() -> None:
    told = view(document([line(description='#read("/etc/passwd") *x* $y$')], [group(3000, 570)]), language="en")
    assert pdf(told, country="DE").archivable


def test_the_scripts_that_the_packaged_fonts_lack_are_known_and_those_that_they_have_are_not_among_them() -> None:
    found = lacking(None)
    assert {"Gujarati", "Kannada", "Malayalam", "Sinhala", "Tibetan", "emoji"} <= set(found)
    assert not {"Arabic", "Hebrew", "Devanagari", "Thai", "Cjk", "Hangul", "Cyrillic", "Greek", "Latin"} & set(found)
