"""What holds of any output, whatever was played: sums, shares, balances and money that moved."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

Json = dict[str, Any]


def _name(document: Json) -> str:
    return f"{document['number']} of {document['customer']} at {document['issued_at']}"


def _paid_by_provider(output: Json, *, status: str) -> dict[str, int]:
    """What moved for each invoice, by its number."""
    moved: dict[str, int] = {}
    for payment in output["payments"]:
        if payment["status"] == status:
            moved[payment["invoice"]] = moved.get(payment["invoice"], 0) + payment["amount"]
    return moved


def _inclusive(*, scenario: Json, document: Json) -> set[bool]:
    """Whether the rates of a document's lines are inclusive."""
    rates = scenario["seller"].get("tax_rates") or {}
    prices = [scenario["prices"].get(line["price"]) or {} for line in document["lines"]]
    return {bool(rates.get(price.get("tax_rate", "standard"), {}).get("inclusive", False)) for price in prices}


def lines_make_the_subtotal(*, scenario: Json, output: Json) -> Iterator[str]:
    for document in output["invoices"]:
        if document["status"] != "refunded" and sum(x["amount"] for x in document["lines"]) != document["subtotal"]:
            yield _name(document)


def shares_make_the_discount(*, scenario: Json, output: Json) -> Iterator[str]:
    for document in output["invoices"]:
        if sum(line["discount"] for line in document["lines"]) != document["discount"]:
            yield _name(document)


def totals_add_up(*, scenario: Json, output: Json) -> Iterator[str]:
    """Tax is on top, already inside, or, where a document or a refund of one mixes the two, something between."""
    for document in output["invoices"]:
        on_top = document["total"] - document["subtotal"] + document["discount"]
        kinds = _inclusive(scenario=scenario, document=document)
        expected = {False: document["tax"], True: 0}
        if len(kinds) == 1 and on_top != expected[kinds.pop()]:
            yield _name(document)
        if document["status"] == "refunded" and not 0 <= on_top <= document["tax"]:
            yield _name(document)


def what_is_due_is_the_rest(*, scenario: Json, output: Json) -> Iterator[str]:
    for document in output["invoices"]:
        if document["kind"] == "credit_note":
            wrong = document["total"] <= 0 or document["credit_applied"] or document["amount_due"]
        else:
            wrong = document["amount_due"] != document["total"] - document["credit_applied"]
            wrong = wrong or min(document["amount_due"], document["credit_applied"]) < 0
        if wrong:
            yield _name(document)


def paid_means_paid_once(*, scenario: Json, output: Json) -> Iterator[str]:
    """An invoice is paid in full or not at all, by the provider at most once."""
    succeeded = [payment["invoice"] for payment in output["payments"] if payment["status"] == "succeeded"]
    moved = _paid_by_provider(output, status="succeeded")
    for document in output["invoices"]:
        due = document["amount_due"] if document["status"] == "paid" else 0
        wrong = document["amount_paid"] != due or succeeded.count(document["number"]) > 1
        if wrong or moved.get(document["number"], due) != due:
            yield _name(document)


def refunds_are_noted(*, scenario: Json, output: Json) -> Iterator[str]:
    """What went back is within what the provider was paid, and stands on credit notes of the same sum."""
    paid, back = (_paid_by_provider(output, status=status) for status in ("succeeded", "refunded"))
    for document in output["invoices"]:
        number = document["number"]
        if document["amount_refunded"] != back.get(number, 0) or back.get(number, 0) > paid.get(number, 0):
            yield _name(document)
    noted = sum(document["total"] for document in output["invoices"] if document["status"] == "refunded")
    if noted != sum(back.values()):
        yield f"credit notes of {noted}"


def net_charged_is_what_moved(*, scenario: Json, output: Json) -> Iterator[str]:
    currencies = {document["number"]: document["currency"] for document in output["invoices"]}
    net: dict[str, int] = {}
    for payment in output["payments"]:
        sign = {"succeeded": 1, "refunded": -1}.get(payment["status"], 0)
        currency = currencies[payment["invoice"]]
        net[currency] = net.get(currency, 0) + sign * payment["amount"]
    told = output["provider"]["net_charged"]
    yield from (currency for currency in net | told if net.get(currency, 0) != told.get(currency, 0))


def balances_are_what_flowed(*, scenario: Json, output: Json) -> Iterator[str]:
    """Credit is granted, credited and given back by a void, is used, and is never below 0."""
    flows: dict[tuple[str, str], int] = {}
    for step in scenario["timeline"]:
        if step["do"] == "grant_credit":
            key = (step["customer"], scenario["seller"]["currency"])
            flows[key] = flows.get(key, 0) + step["amount"]
    for document in output["invoices"]:
        key = (document["customer"], document["currency"])
        used = 0 if document["status"] == "void" else document["credit_applied"]
        gained = document["total"] if document["status"] == "credited" else 0
        flows[key] = flows.get(key, 0) + gained - used
    told = {(n, c): x for n, facts in output["customers"].items() for c, x in facts["credit_balances"].items()}
    for key in flows | told:
        if flows.get(key, 0) != told.get(key, 0) or flows.get(key, 0) < 0:
            yield " ".join(key)


def usage_is_billed_at_most_once(*, scenario: Json, output: Json) -> Iterator[str]:
    """The lines of a `sum` price hold no more than was recorded."""
    recorded: dict[tuple[str, str], dict[str, Fraction]] = {}
    for step in sorted(scenario["timeline"], key=lambda step: step["at"]):
        if step["do"] == "usage" and "expect_error" not in step:
            records = recorded.setdefault((step["subscription"], step["price"]), {})
            records.setdefault(step["id"], Fraction(str(step["quantity"])))
    billed: dict[tuple[str, str], Fraction] = {}
    for document in output["invoices"]:
        for line in document["lines"]:
            if line["kind"] == "usage" and scenario["prices"][line["price"]]["usage"] == "sum":
                key = (document["subscription"], line["price"])
                billed[key] = billed.get(key, Fraction(0)) + Fraction(line["quantity"])
    yield from (" ".join(key) for key, sum_ in billed.items() if sum_ > sum(recorded.get(key, {}).values()))


def documents_and_payments_are_in_order(*, scenario: Json, output: Json) -> Iterator[str]:
    issued = [document["issued_at"] for document in output["invoices"]]
    if issued != sorted(issued):
        yield "documents"
    when = {document["number"]: document["issued_at"] for document in output["invoices"]}
    yield from (f"payment of {p['invoice']}" for p in output["payments"] if p["at"] < when[p["invoice"]])


def lines_lie_the_right_way(*, scenario: Json, output: Json) -> Iterator[str]:
    """Only proration credits are negative, before a credit note turns its signs; periods have a length."""
    for document in output["invoices"]:
        sign = -1 if document["status"] == "credited" else 1
        for line in document["lines"]:
            amount = sign * line["amount"] * (-1 if line["kind"] == "proration_credit" else 1)
            empty = line["period_start"] is not None and line["period_start"] >= line["period_end"]
            if amount < 0 or empty or (amount == 0 and line["kind"].startswith("proration")):
                yield f"{_name(document)}: {line['kind']} of {line['price']}"


def refusals_were_expected(*, scenario: Json, output: Json) -> Iterator[str]:
    told = {refusal["step"]: refusal["code"] for refusal in output["refusals"]}
    for number, step in enumerate(scenario["timeline"], start=1):
        if step.get("expect_error") != told.get(number):
            yield f"step {number}"


CHECKS = [
    lines_make_the_subtotal,
    shares_make_the_discount,
    totals_add_up,
    what_is_due_is_the_rest,
    paid_means_paid_once,
    refunds_are_noted,
    net_charged_is_what_moved,
    balances_are_what_flowed,
    usage_is_billed_at_most_once,
    documents_and_payments_are_in_order,
    lines_lie_the_right_way,
    refusals_were_expected,
]


def broken(*, scenario: Json, output: Json) -> list[str]:
    """Every invariant that an output breaks, and where."""
    return [f"{check.__name__}: {where}" for check in CHECKS for where in check(scenario=scenario, output=output)]
