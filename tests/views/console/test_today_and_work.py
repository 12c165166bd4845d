"""The first page and the work items: what they say, who may do what, and that what is done stands in the trail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from billing.flows import upkeep
from billing.flows.charging import charge_once
from billing.kernel.ids import new_id
from billing.kernel.status import WorkItemStatus
from billing.models import AuditRecord, WorkItem
from billing.queue.names import RENEWALS_TICK
from billing.rules.permission import GRANTED, Permission, Role, may
from tests.flows.company import START
from tests.views.console.conftest import House, Person, served

HOSTILE = "<script>alert(1)</script>"


def held(house: House, *codes: str) -> list[WorkItem]:
    """Subscriptions that can't be billed, each with its work item."""
    for code in codes:
        house.acme.customer(f"of-{code}")
        house.acme.subscribe(f"of-{code}", code)
    change = text("UPDATE billing.subscription SET timezone = 'Nowhere/Town' WHERE code = ANY(:codes)")
    with house.acme.parts.begin() as session:
        session.execute(change, {"codes": [*codes]})
    house.acme.settle()
    return items(house)


def items(house: House) -> list[WorkItem]:
    with house.acme.begin() as session:
        return list(session.scalars(select(WorkItem).order_by(WorkItem.id)))


def trail(house: House, actor: str) -> list[tuple[str, str]]:
    with house.acme.begin() as session:
        rows = session.scalars(select(AuditRecord).where(AuditRecord.actor == actor).order_by(AuditRecord.id))
        return [(row.action, row.reason) for row in rows]


@pytest.fixture
def ada(house: House) -> Person:
    return house.person("ada", Role.OPERATOR)


def test_today_says_what_is_due_billed_collected_failing_and_whether_all_runs(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.views.console.today._KEPT_S", 0.0)
    house.acme.customer("one")
    house.acme.subscribe("one", "one")
    house.acme.customer("two", method="pm_card_chargeCustomerFail")
    house.acme.subscribe("two", "two")
    due = ada.reads("/")
    assert "2 renewals, 0 charges" in due
    assert "renewals.tick (never)" in due
    house.acme.settle()
    upkeep.beat(house.acme.parts, RENEWALS_TICK, worker="w1@host")
    page = ada.reads("/")
    assert "0 renewals, 0 charges" in page
    assert "23.80 EUR" in page
    assert "11.90 EUR" in page
    assert "2026-01-31 00:00:00" in page
    assert '<svg class="chart"' in page
    assert re.findall(r"<text[^>]*>([^<]+)</text>", page)[-1] == "01-31"
    assert "w1@host" in page
    assert "renewals.tick (" not in page
    assert "The broker does not answer" in page


def given_up(house: House, *accounts: str) -> None:
    """Open invoices of 11.90 EUR whose retries have ended."""
    for account in accounts:
        house.acme.customer(account, method="pm_card_chargeCustomerFail")
        house.acme.subscribe(account, f"{account}-basic")
    house.acme.settle()
    end = "UPDATE billing.invoice SET final_decision = 'keep', next_attempt_at = NULL WHERE status = 'open'"
    with house.acme.parts.begin() as session:
        session.execute(text(end))


def test_the_chart_ends_today_also_where_nothing_was_billed_for_a_while(house: House, ada: Person) -> None:
    house.acme.customer("one")
    house.acme.subscribe("one", "one")
    house.acme.settle()
    house.acme.set_clock(START + timedelta(days=5))
    assert ">02-05<" in ada.reads("/")


def test_each_currency_has_its_chart(house: House, ada: Person) -> None:
    profile_id, acme = house.acme.customer("one"), house.acme
    currencies = ("eur", "usd", "gbp", "jpy")
    for currency in currencies:
        with acme.parts.begin() as session:
            charge_once(acme.parts, session, profile_id, amount_minor=500, currency=currency, description="A book")
    acme.settle()
    page = ada.reads("/")
    assert [f"Billed and collected in {each.upper()}" in page for each in currencies] == [True] * 4


def test_what_was_given_up_and_is_open_is_counted_and_found_by_a_filter(house: House, ada: Person) -> None:
    assert "Given up, still open" not in ada.reads("/")
    given_up(house, "two", "three")
    house.acme.customer("four", method="pm_card_chargeCustomerFail")
    house.acme.subscribe("four", "four-basic")
    house.acme.settle()
    tile = re.search(r"Given up, still open</h2>.*?</section>", ada.reads("/"), re.DOTALL)
    assert tile
    assert "23.80 EUR" in tile[0]
    assert '<a href="/console/dunning?tries=given_up">2 invoices</a>' in tile[0]
    found = ada.reads("/dunning?tries=given_up")
    assert [f">{account}</a>" in found for account in ("two", "three", "four")] == [True, True, False]
    one = ada.reads("/dunning?tries=given_up&customer=three")
    assert [f">{account}</a>" in one for account in ("two", "three", "four")] == [False, True, False]
    assert "ACME-000001" in ada.reads("/dunning?tries=given_up&format=csv")


def test_where_there_is_more_than_is_counted_it_says_so(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up(house, "two", "three", "four")
    for code in ("five", "six"):
        house.acme.customer(code)
        house.acme.subscribe(code, code)
    page = ada.reads("/")
    assert ('<p class="big">2</p>' in page, "35.70 EUR" in page, ">3 invoices<" in page) == (True, True, True)
    monkeypatch.setattr("billing.queries.operations.today.MOST", 2)
    page = ada.reads("/")
    assert "2+ renewals, 0 charges" in page
    assert '<p class="big">2+</p>' in page
    assert '<p class="big">at least 23.80 EUR</p>' in page
    assert ">2+ invoices<" in page


def test_a_provider_that_is_left_alone_is_told_on_top_and_unknown_attempts_lead_to_themselves(
    house: House, ada: Person
) -> None:
    house.acme.customer("one")
    house.acme.subscribe("one", "one")
    house.acme.settle()
    page = ada.reads("/")
    assert "The breaker is open" not in page
    assert '<a href="/console/payments?status=unknown">0</a>' in page
    trip = "UPDATE billing.provider_rate SET down_streak = 5, open_until = clock_timestamp() + interval '1 minute'"
    with house.acme.parts.begin() as session:
        session.execute(text(trip))
    page = ada.reads("/")
    alarm = re.search(r'<div class="told bad" role="alert">.*?</div>', page, re.DOTALL)
    assert alarm
    assert re.search(r"stripe \S+: the breaker is open: 5 calls in a row had no answer; a probe in \d+ s", alarm[0])
    assert "docs/operate/billing-provider-away.md" in alarm[0]
    assert page.index(alarm[0]) < page.index("Due now")


def test_every_answer_keeps_to_itself_and_has_nothing_inline(house: House, ada: Person) -> None:
    (item,) = held(house, "s1")
    for path in ("/", "/items", f"/items/{item.id}", "/enter", f"/items/{house.acme.seller_id}"):
        answer = ada.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|<[^>]*\s(on[a-z]+|style)=|hx-on", answer.text)
        led = re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)
        assert [each for each in led if not each.startswith(("/console/", "#main", "data:,"))] == []
    asset = ada.get("/assets/htmx.min.js")
    assert (asset.status_code, "immutable" in asset.headers["Cache-Control"]) == (200, True)
    assert ada.get("/assets/../door.py").status_code == 404


def test_an_item_tells_all_and_is_retried_with_a_reason_after_a_try(house: House, ada: Person) -> None:
    (item,) = held(house, "s1")
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.work_item SET error = :error"), {"error": HOSTILE})
        session.execute(text("UPDATE billing.subscription SET timezone = 'UTC'"))
    page = ada.reads(f"/items/{item.id}")
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    for told in ("Subscription not billed", item.summary.split()[0], "docs/operate/subscription-not-billed.md", "UTC"):
        assert told in page
    tried = ada.post(f"/items/{item.id}", action="retry", **{"try": "1"})
    assert "Tried, nothing was changed" in tried.text
    refused = ada.post(f"/items/{item.id}", action="retry", reason="  ")
    assert (refused.status_code, "reason missing" in refused.text) == (409, True)
    assert trail(house, "ada") == []
    done = ada.post(f"/items/{item.id}", action="retry", reason="the zone is mended")
    assert (done.status_code, done.headers["Location"]) == (303, f"/console/items/{item.id}")
    assert trail(house, "ada") == [("work.retry", "the zone is mended")]
    # What became of it is told once.
    told = re.compile(r'<p class="told good" role="status">')
    assert told.search(ada.reads(f"/items/{item.id}"))
    assert not told.search(ada.reads(f"/items/{item.id}"))
    house.acme.settle()
    upkeep.close_gone_work(house.acme.parts)
    assert [each.status for each in items(house)] == [WorkItemStatus.RESOLVED]
    assert "What is safe to do" not in ada.reads(f"/items/{item.id}")


def test_many_items_are_parked_by_a_filter_after_a_dry_run_that_says_what_would_happen(
    house: House, ada: Person
) -> None:
    held(house, "s1", "s2", "s3")
    chosen = {"action": "park", "customer": "of-s1", "reason": "the vendor is asked", "order": str(new_id())}
    page = ada.post("/items", **chosen, **{"try": "1"}).text
    assert "What park would do, tried on 1" in page
    assert {each.status for each in items(house)} == {"open"}
    assert ada.post("/items", **chosen).status_code == 303
    assert "Park: 1 changed." in ada.reads("/items")
    assert [each.status for each in items(house)].count("parked") == 1
    assert "of-s2" not in ada.reads("/items?status=parked")
    assert "No such work item" in ada.reads("/items?kind=task_failed")


def test_a_list_goes_on_by_key(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.views.console.work._LIMIT", 2)
    held(house, "s1", "s2", "s3")
    first = ada.reads("/items?kind=subscription_not_billed")
    older = re.search(r'rel="next" href="/console([^"]+)"', first)
    assert older
    assert "kind=subscription_not_billed" in older[1]
    second = ada.reads(older[1].replace("&amp;", "&"))
    shown = [set(re.findall(r"<td[^>]*>(of-s\d)</td>", page)) for page in (first, second)]
    assert [len(each) for each in shown] == [2, 1]
    assert shown[0] | shown[1] == {"of-s1", "of-s2", "of-s3"}


def test_what_a_role_does_not_grant_is_neither_offered_nor_done(house: House) -> None:
    (item,) = held(house, "s1")
    vera = house.person("vera", Role.VIEWER)
    assert "What is safe to do" not in vera.reads(f"/items/{item.id}")
    assert "All that these filters" not in vera.reads("/items")
    for path in (f"/items/{item.id}", "/items"):
        answer = vera.post(path, action="park", reason="because")
        assert (answer.status_code, "not permitted" in answer.text) == (403, True)
    assert items(house)[0].status == "open"


def test_no_address_that_changes_something_is_open_to_a_viewer_or_without_a_forms_token(house: House) -> None:
    vera, root = house.person("vera", Role.VIEWER), house.person("root", Role.ADMIN)
    some_id = str(house.acme.seller_id)
    asked = 0
    for rule in house.app.url_map.iter_rules():
        if not rule.rule.startswith("/console") or "POST" not in (rule.methods or ()):
            continue
        if rule.endpoint in ("console.come_in", "console.go"):
            continue
        path = re.sub(r"<[^>]+>", some_id, rule.rule).removeprefix("/console")
        assert vera.post(path, reason="because", action="park").status_code == 403, rule
        bare = root.client.post(f"/console{path}", data={"reason": "because", "action": "park"})
        assert bare.status_code == 403, rule
        crossed = root.client.post(
            f"/console{path}", data={"csrf": root.csrf, "reason": "because"}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert crossed.status_code == 403, rule
        asked += 1
    assert asked >= 2


def test_every_page_is_closed_to_strangers(house: House) -> None:
    some_id = str(house.acme.seller_id)
    for rule in house.app.url_map.iter_rules():
        if not rule.rule.startswith("/console") or rule.endpoint in ("console._asset", "console.login"):
            continue
        for method in {"GET", "POST"} & (rule.methods or set()):
            if rule.endpoint == "console.come_in":
                continue
            path = re.sub(r"<[^>]+>", some_id, rule.rule)
            answer: Any = house.stranger().open(path, method=method)
            assert (answer.status_code, answer.headers["Location"][:14]) == (303, "/console/enter"), rule


def test_no_role_grants_what_it_should_not() -> None:
    assert [may(role, Permission.MONEY) for role in Role] == [False, False, True, True]
    assert [may(role, Permission.PERSONAL) for role in Role] == [False, True, True, True]
    assert not may("root", Permission.READ)
    assert GRANTED[Role.VIEWER] == {Permission.READ}


def test_in_production_the_cookie_is_for_tls_and_this_host_alone(house: House) -> None:
    house.person("ada", Role.VIEWER)
    client = served(
        house.acme.parts, billing_sandbox=False, billing_console="proxy", billing_console_proxies="127.0.0.1/32"
    ).test_client()
    answer = client.get("/console/enter", headers={"X-Forwarded-User": "ada"})
    answer = client.get("/console/items", headers={"X-Forwarded-User": "ada"})
    (cookie,) = [each for each in answer.headers.getlist("Set-Cookie") if each.startswith("__Host-console=")]
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
