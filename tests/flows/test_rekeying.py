"""Rekeying: all is readable with the new master key alone, and a second run finds nothing to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.flows.looking import open_parties
from billing.flows.order import Order
from billing.flows.rekeying import rewrap
from billing.kernel.errors import Refused
from billing.privacy.keyring import Keyring, generate
from tests.flows.company import Company

WHY = Order(actor="ada", reason="the yearly rotation")


def test_after_rewrapping_the_new_master_key_opens_all_and_the_old_one_may_go(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    (invoice,) = acme.invoices()
    assert acme.parts.settings.billing_secret_key is not None
    old, new = acme.parts.settings.billing_secret_key.get_secret_value(), generate()
    both = replace(acme.parts, keyring=Keyring.from_setting(f"{new},{old}"))
    alone = replace(acme.parts, keyring=Keyring.from_setting(new))
    with pytest.raises(Refused, match="master_key_missing"):
        open_parties(alone, invoice.id, order=WHY)

    tried = rewrap(both, order=replace(WHY, dry_run=True))
    assert tried >= 2
    assert rewrap(both, order=WHY) == tried
    assert rewrap(both, order=WHY) == 0
    assert open_parties(alone, invoice.id, order=WHY)["buyer"]
    assert replace(acme, parts=alone).violations() == ()
