"""A list of Stripe's that does not go on, whatever it says of more, ends: whoever reads it would read for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from billing.kernel.errors import ProviderUnreadable
from billing.providers.reading import Raw, text
from billing.providers.stripe import listing
from billing.providers.stripe.asking import read


def test_a_page_that_comes_again_is_no_page() -> None:
    asked = list[Any]()

    def ask(params: dict[str, Any]) -> Any:
        asked.append(params.get("starting_after"))
        assert len(asked) < 20
        page = {"data": [{"id": f"ch_{n}"} for n in range(3)], "has_more": True}
        return SimpleNamespace(to_dict=lambda: page)

    def parse(raw: Raw) -> str:
        return text(raw, "id")

    with pytest.raises(ProviderUnreadable):
        list(listing.pages(read, ask, parse, {}, limit=3))
    assert asked == [None, "ch_2"]
