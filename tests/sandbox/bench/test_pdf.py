"""The bench of documents measures real ones: all PDF/A, in four languages and scripts."""

from __future__ import annotations

import json

import pytest

from billing.sandbox.bench import pdf
from billing.sandbox.bench.figures import Report


def test_it_sets_documents_and_tells_how_fast(capsys: pytest.CaptureFixture[str]) -> None:
    pdf.run(documents=4, lines=30, warm=4, report=Report(as_json=True))
    figures = json.loads(capsys.readouterr().out)
    assert figures["documents"] == 4
    assert figures["pdf_a_second"] > 0
    assert figures["long_bytes"] > 10_000
