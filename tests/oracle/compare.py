"""Compares two outputs of section 3; numbers, descriptions, extra keys and the order within a moment are free."""

import json
import sys
from pathlib import Path
from typing import Any

LINE = ("kind", "price", "quantity", "amount", "discount", "period_start", "period_end")
DOCUMENT = (
    "kind customer subscription status currency issued_at due_at period_start period_end subtotal discount tax "
    "reverse_charge total credit_applied amount_due amount_paid amount_refunded"
).split()
PAYMENT = ("at", "amount", "status", "decline_code")
LISTS = {
    "late_usage": ("subscription", "price", "id"),
    "skipped_periods": ("subscription", "period_start", "period_end"),
    "refusals": ("step", "at", "do", "code"),
}


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _line(line: dict) -> dict:
    return {name: line.get(name) for name in LINE}


def _name(document: dict) -> str:
    """A document without its number, for messages."""
    owner = document.get("subscription") or f"{document.get('customer')} (charge)"
    span = f"{document.get('period_start')}..{document.get('period_end')}"
    return f"{document.get('kind')} of {owner} at {document.get('issued_at')} for {span}"


def _identity(document: dict) -> str:
    names = ("issued_at", "subscription", "customer", "kind", "period_start", "period_end", "currency")
    return _key([document.get(name) for name in names])


def _facts(document: dict) -> str:
    lines = sorted((_line(line) for line in document.get("lines", [])), key=_key)
    return _key([[document.get(name) for name in DOCUMENT], lines])


def _grouped(*, documents: list[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for document in documents:
        groups.setdefault(_identity(document), []).append(document)
    return groups


def _pair(*, expected: list[dict], actual: list[dict]) -> tuple[list[tuple[dict, dict]], list[dict], list[dict]]:
    """Pairs documents of one identity: equal ones first, the others in order."""
    pairs, left, rest = [], [], list(actual)
    for document in expected:
        match = next((other for other in rest if _facts(other) == _facts(document)), None)
        if match is None:
            left.append(document)
        else:
            pairs.append((document, match))
            rest.remove(match)
    common = min(len(left), len(rest))
    return pairs + list(zip(left[:common], rest[:common], strict=True)), left[common:], rest[common:]


def _lines(*, expected: dict, actual: dict) -> list[str]:
    ours, theirs = ([_key(_line(line)) for line in side.get("lines", [])] for side in (expected, actual))
    if ours == theirs:
        return []
    if sorted(ours) == sorted(theirs):
        return ["lines in another order"]
    found, rest = [], list(theirs)
    for line in ours:
        if line in rest:
            rest.remove(line)
        else:
            found.append(f"line missing: {line}")
    return found + [f"line not expected: {line}" for line in rest]


def _documents(*, expected: dict, actual: dict) -> list[str]:
    found: list[str] = []
    wanted, given = (_grouped(documents=side.get("invoices", [])) for side in (expected, actual))
    for identity in list(wanted) + [x for x in given if x not in wanted]:
        pairs, missing, extra = _pair(expected=wanted.get(identity, []), actual=given.get(identity, []))
        found += [f"missing: {_name(x)}, total {x.get('total')}" for x in missing]
        found += [f"not expected: {_name(x)}, total {x.get('total')}" for x in extra]
        for ours, theirs in pairs:
            found += [
                f"{_name(ours)}: {name} expected {ours.get(name)!r}, is {theirs.get(name)!r}"
                for name in DOCUMENT
                if ours.get(name) != theirs.get(name)
            ]
            found += [f"{_name(ours)}: {text}" for text in _lines(expected=ours, actual=theirs)]
    return sorted(found, key=lambda text: text.partition(" at ")[2])


def _payments(*, side: dict) -> list[str]:
    documents = {document["number"]: document for document in side.get("invoices", [])}
    named = []
    for payment in side.get("payments", []):
        document = documents.get(payment["invoice"], {})
        facts = " ".join(f"{name}={payment.get(name)}" for name in PAYMENT)
        named.append(f"payment {facts} for {_name(document)}, total {document.get('total')}")
    return named


def _bag(*, what: str, expected: list[str], actual: list[str]) -> list[str]:
    rest, found = list(actual), []
    for entry in expected:
        if entry in rest:
            rest.remove(entry)
        else:
            found.append(f"{what}missing: {entry}")
    return found + [f"{what}not expected: {entry}" for entry in rest]


def _flat(*, value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for name, inner in value.items() for k, v in _flat(value=inner, path=f"{path}.{name}").items()}


def _mapping(*, name: str, expected: Any, actual: Any, zero: bool) -> list[str]:
    """Differences of nested mappings; with `zero`, a missing amount is 0."""
    ours, theirs = _flat(value=expected, path=name), _flat(value=actual, path=name)
    default = 0 if zero else None
    return [
        f"{path}: expected {ours.get(path, default)!r}, is {theirs.get(path, default)!r}"
        for path in list(ours) + [x for x in theirs if x not in ours]
        if ours.get(path, default) != theirs.get(path, default)
    ]


def _summary(*, side: dict) -> tuple[dict, dict]:
    names = ("status", "current_period_start", "current_period_end")
    subs = {k: {name: sub.get(name) for name in names} for k, sub in side.get("subscriptions", {}).items()}
    money = {k: customer.get("credit_balances", {}) for k, customer in side.get("customers", {}).items()}
    return subs, money


def differences(expected: dict, actual: dict) -> list[str]:
    """Every difference that the contract does not leave free, in words."""
    found = _documents(expected=expected, actual=actual)
    found += _bag(what="", expected=_payments(side=expected), actual=_payments(side=actual))
    (our_subs, our_money), (their_subs, their_money) = _summary(side=expected), _summary(side=actual)
    found += _mapping(name="subscriptions", expected=our_subs, actual=their_subs, zero=False)
    found += _bag(what="customer ", expected=sorted(our_money), actual=sorted(their_money))
    found += _mapping(name="credit_balances", expected=our_money, actual=their_money, zero=True)
    for name, keys in LISTS.items():
        ours, theirs = ([_key({k: x.get(k) for k in keys}) for x in side.get(name, [])] for side in (expected, actual))
        found += _bag(what=f"{name} ", expected=ours, actual=theirs)
    ours, theirs = (side.get("provider", {}).get("net_charged", {}) for side in (expected, actual))
    found += _mapping(name="net_charged", expected=ours, actual=theirs, zero=True)
    return found + [f"audit: {x}" for x in actual.get("audit", {}).get("violations", [])]


def main(*, arguments: list[str]) -> int:
    """Compares two files and prints what differs."""
    expected, actual = (json.loads(Path(name).read_text()) for name in arguments)
    found = differences(expected, actual)
    sys.stdout.write("".join(f"{text}\n" for text in found) or "no differences\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(arguments=sys.argv[1:]))
