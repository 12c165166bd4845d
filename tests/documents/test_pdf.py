"""The PDF: PDF/A in the scripts of the world, the same bytes each time, and plain where a letter has no font."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from billing.documents.coverage import lacking
from billing.documents.fonts import order_of
from billing.documents.pdf import LACKS_A_FONT, NOT_ISSUED, _compiler, pdf
from billing.documents.view import View, view
from tests.documents.samples import SELLER, document, group, line

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


def test_how_to_pay_and_the_sellers_footer_are_printed_and_stay_on_the_paper() -> None:
    seller = SELLER | {"payment_instructions": "Bank " + "I" * 200, "document_footer": "株式会社\n" + "W" * 300}
    facts = {"status": "open", "collection": "send_invoice", "amount_remaining_minor": 3570, "seller": seller}
    told = view(document([line()], [group(3000, 570)], **facts), language="en")
    assert pdf(told, country="JP").archivable
    bare = view(document([line()], [group(3000, 570)], **(facts | {"seller": SELLER})), language="en")
    more = len(ends(told)) - len(ends(bare))
    # Two lines of the one at least, three of the other, and the sentence above.
    assert more >= 6
    assert max(end for _, _, end in ends(told)) < 190 / 25.4 * 72


def test_the_scripts_that_the_packaged_fonts_lack_are_known_and_those_that_they_have_are_not_among_them() -> None:
    found = lacking(None)
    assert {"Gujarati", "Kannada", "Malayalam", "Sinhala", "Tibetan", "emoji"} <= set(found)
    assert not {"Arabic", "Hebrew", "Devanagari", "Thai", "Cjk", "Hangul", "Cyrillic", "Greek", "Latin"} & set(found)


def ends(told: View) -> list[tuple[float, float, float]]:
    """Of each run of letters where it begins, its height and where its last letter begins: points from top left."""
    compiler, fonts = _compiler(None)
    inputs = {"document": json.dumps(told.as_data()), "fonts": json.dumps(order_of(fonts, "DE")), "keywords": "[]"}
    drawn = compiler.compile(format="svg", sys_inputs=inputs, timestamp=0)
    assert isinstance(drawn, bytes)
    runs = re.findall(r'<g transform="matrix\(1 0 0 -1 ([\d.]+) ([\d.]+)\)">(.*?)</g>', drawn.decode())
    return [(float(x), float(y), float(x) + float(re.findall(r' x="([\d.]+)"', run)[-1])) for x, y, run in runs]


def test_a_name_without_a_space_keeps_to_its_column() -> None:
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    told = view(document([line(description=word * 2)], [group(3000, 570)]), language="de")
    told = replace(told, buyer=replace(told.buyer, name=f"{word} GmbH", lines=(word, "53111 Bonn")))
    runs = ends(told)
    parties = [right for x, y, right in runs if x < 60 and 90 < y < 200]
    described = [right for x, y, right in runs if 60 < x < 70 and y > 215]
    # Points: where the seller stands beside the buyer, and where the quantities begin.
    assert len(parties) > 6
    assert max(parties) < 206 - 10
    assert max(described) < 390
