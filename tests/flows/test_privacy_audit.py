"""Nothing personal reached the provider; a leak that is planted at its door is found, and its value not repeated."""

from __future__ import annotations

import base64

import requests

from billing.flows import privacy_audit
from tests.flows.company import company


def test_nothing_personal_reaches_the_provider_and_a_planted_leak_is_found(database_url: str) -> None:
    # Not the usual company: its own end finds the leak, too.
    with company(database_url) as acme:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        report = privacy_audit.run(acme.parts, [acme.witness])
        assert report.leaks == ()
        assert report.requests >= 3
        assert report.values >= 8
        hidden = base64.b64encode(b"person A1").decode()
        requests.get(
            f"{acme.witness_url}/v1/charges",
            params={"limit": "1", "starting_after": hidden},
            headers={"Authorization": "Bearer sk_test_company"},
            timeout=5,
        )
        report = privacy_audit.run(acme.parts, [acme.witness])
        found = {leak.what for leak in report.leaks}
        assert "holds a profile.name" in found
        assert "not on the list: starting_after" in found
        assert hidden not in str(report)
