"""Random valid scenarios, one for each seed; steps that the reference refuses say so with `expect_error`."""

import datetime as dt
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import yaml

from tests.oracle import catalog, times
from tests.oracle.draft import Draft, Step, Sub
from tests.oracle.play import play

KEPT = 0.3  # of the refused steps, as expected refusals
LEANING = 0.6  # of the stories
TURNS = [dt.datetime(*day, tzinfo=dt.UTC) for day in [(2011, 12, 29), (2024, 2, 29), (2024, 3, 30), (2026, 9, 5)]]
"""A date that one zone has not, the day that few years have, and days before a clock change."""


def _quantity(*, draft: Draft, price: str) -> Step:
    if draft.prices[price].get("usage") or draft.chance(0.3):
        return {"price": price}
    return {"price": price, "quantity": draft.rng.choice([1, 2, 2, 3, 5, 12, 12, 99_999])}


def _items(*, draft: Draft, group: str) -> list[Step]:
    names = [name for name in draft.prices if name.startswith(group)]
    chosen = draft.rng.sample(names, draft.rng.choice([1, 1, 2, 2, 3]))
    if draft.chance(0.15):
        chosen += ["once2" if group == "c" else "once"]
    return [_quantity(draft=draft, price=name) for name in chosen]


def _subscribe(*, draft: Draft) -> Step:
    group = draft.rng.choice([g for g in "aaabc" if f"{g}1" in draft.prices])
    customer = draft.rng.choice(list(draft.scenario["customers"]))
    if began := draft.began():
        customer = draft.rng.choice([customer, began.customer])
    sub = Sub(name=f"s{len(draft.subs) + 1}", customer=customer, group=group, lists=[_items(draft=draft, group=group)])
    draft.subs[sub.name] = sub
    step: Step = {"do": "subscribe", "as": sub.name, "customer": customer, "items": sub.items}
    kind = draft.rng.random()
    if kind < 0.2:
        step["trial_days"] = draft.rng.choice([0, 1, 7, 14, 30])
    elif kind < 0.4:
        step["anchor"] = times.text(at=_anchor(draft=draft, sub=sub))
    if draft.chance(0.35):
        step["coupon"] = draft.rng.choice(list(draft.scenario["coupons"]))
    if draft.chance(0.15):
        step |= {"collection": "send_invoice", "days_until_due": draft.rng.choice([0, 7, 14, 30])}
    return step


def _anchor(*, draft: Draft, sub: Sub) -> dt.datetime:
    """A moment at most one full period ahead, on an hour where there is one."""
    price = draft.prices[f"{sub.group}1"]
    days = {"day": 1, "week": 7, "month": 28, "year": 360}[price["interval"]] * price.get("count", 1)
    at = draft.now + dt.timedelta(hours=draft.rng.randint(2, days * 24 - 4))
    return at.replace(minute=0, second=0) if draft.chance(0.7) else at


def _change(*, draft: Draft) -> Step:
    sub = draft.any_sub()
    step: Step = {"do": "change", "subscription": sub.name, "items": _next_items(draft=draft, sub=sub)}
    sub.lists.append(step["items"])
    if draft.chance(0.25):
        return step | {"when": "period_end"}
    return step | ({"proration": draft.rng.choice(["prorate", "none", "invoice_now"])} if draft.chance(0.6) else {})


def _next_items(*, draft: Draft, sub: Sub) -> list[Step]:
    kind = draft.rng.random()
    if kind < 0.2 and len(sub.lists) > 1:
        return [entry for entry in sub.lists[-2] if not entry["price"].startswith("once")] or sub.items
    if kind < 0.35 and sub.group != "c":
        sub.group = "b" if sub.group == "a" else "a"
        return _items(draft=draft, group=sub.group)
    if kind < 0.5:
        return _items(draft=draft, group=sub.items[0]["price"][0])
    kept = [entry for entry in sub.items if not entry["price"].startswith("once")]
    if kind < 0.75:
        return _one_more_or_less(draft=draft, sub=sub, kept=kept)
    return [_quantity(draft=draft, price=entry["price"]) for entry in kept]


def _one_more_or_less(*, draft: Draft, sub: Sub, kept: list[Step]) -> list[Step]:
    """One item goes, or one comes: often one that was there before."""
    names = {entry["price"] for entry in kept}
    others = [name for name in draft.prices if name.startswith(sub.items[0]["price"][0]) and name not in names]
    if others and (len(kept) == 1 or draft.chance(0.5)):
        return [*kept, _quantity(draft=draft, price=draft.rng.choice(others))]
    goes = draft.rng.choice(sorted(names))
    return [entry for entry in kept if entry["price"] != goes] or kept


def _cancel(*, draft: Draft) -> Step:
    sub = draft.any_sub()
    step: Step = {"do": "cancel", "subscription": sub.name}
    if draft.chance(0.5):
        sub.canceling = True
        return step | {"when": "period_end"}
    return step | ({"prorate": True} if draft.chance(0.6) else {})


def _uncancel(*, draft: Draft) -> Step:
    canceling = [sub for sub in draft.live() if sub.canceling]
    sub = draft.rng.choice(canceling) if canceling else draft.any_sub()
    sub.canceling = False
    return {"do": "uncancel", "subscription": sub.name}


def _pause(*, draft: Draft) -> Step:
    return {"do": "pause", "subscription": draft.some(status="active").name}


def _resume(*, draft: Draft) -> Step:
    return {"do": "resume", "subscription": draft.some(status="paused").name}


def _usage(*, draft: Draft) -> Step:
    metered = {name for name, price in draft.prices.items() if price.get("usage")}
    subs = [sub for sub in draft.live() if metered & {entry["price"] for entry in sub.items}]
    sub = draft.rng.choice(subs) if subs else draft.any_sub()
    names = sorted(metered & {entry["price"] for entry in sub.items})
    price = draft.rng.choice(names if names and not draft.chance(0.03) else sorted(draft.prices))
    step: Step = {"do": "usage", "subscription": sub.name, "price": price, "quantity": _used(draft=draft)}
    step["id"] = draft.rng.choice(sub.ids) if sub.ids and draft.chance(0.07) else f"u{len(sub.ids) + 1}"
    sub.ids.append(step["id"])
    if draft.chance(0.4):
        step["timestamp"] = times.text(at=_stamp(draft=draft, sub=sub))
    return step


def _used(*, draft: Draft) -> int | str:
    if draft.chance(0.2):
        return f"{draft.rng.randint(0, 40)}.{draft.rng.randint(1, 9)}"
    if draft.chance(catalog.ODD):
        return draft.rng.choice(["0.000001", "1234567.89", 999_999])
    return draft.rng.choice([0, 1, 3, draft.rng.randint(4, 60), draft.rng.randint(60, 1500)])


def _stamp(*, draft: Draft, sub: Sub) -> dt.datetime:
    start = times.moment(value=draft.view["subscriptions"][sub.name]["current_period_start"])
    choices = [start, start - dt.timedelta(seconds=1), draft.now - dt.timedelta(hours=draft.rng.randint(1, 900))]
    return draft.rng.choice([*choices, draft.now + dt.timedelta(hours=1)])


def _method(*, draft: Draft) -> Step:
    method = "visa" if draft.chance(0.4) else draft.rng.choice(catalog.METHODS)
    customer = draft.rng.choice(list(draft.scenario["customers"]))
    return {"do": "set_payment_method", "customer": customer, "payment_method": method}


def _coupon(*, draft: Draft) -> Step:
    coupon = draft.rng.choice(list(draft.scenario["coupons"]))
    return {"do": "apply_coupon", "subscription": draft.any_sub().name, "coupon": coupon}


def _charge(*, draft: Draft) -> Step:
    customer = draft.rng.choice(list(draft.scenario["customers"]))
    amount = 0 if draft.chance(0.05) else draft.rng.randint(1, 5000)
    return {"do": "charge", "customer": customer, "amount": amount, "description": "Extra work"}


def _grant(*, draft: Draft) -> Step:
    customer = draft.rng.choice(list(draft.scenario["customers"]))
    return {"do": "grant_credit", "customer": customer, "amount": draft.rng.choice([0, 50, 700, 2500])}


def _place(*, draft: Draft, status: str) -> int:
    """The place of an invoice, in this status where there is one."""
    invoices = [document for document in draft.view["invoices"] if document["kind"] == "invoice"]
    fitting = [n for n, document in enumerate(invoices, start=1) if document["status"] == status]
    if fitting and not draft.chance(0.1):
        return draft.rng.choice(fitting)
    return draft.rng.randint(1, len(invoices) + 1)


def _refund(*, draft: Draft) -> Step:
    place = _place(draft=draft, status="paid")
    step: Step = {"do": "refund", "invoice": place}
    invoices = [document for document in draft.view["invoices"] if document["kind"] == "invoice"]
    paid = invoices[place - 1]["amount_paid"] if place <= len(invoices) else 0
    return step | ({"amount": draft.rng.randint(1, paid + paid // 10 + 1)} if draft.chance(0.65) else {})


def _void(*, draft: Draft) -> Step:
    return {"do": "void", "invoice": _place(draft=draft, status="open")}


def _write_off(*, draft: Draft) -> Step:
    return {"do": "mark_uncollectible", "invoice": _place(draft=draft, status="open")}


def _mark_paid(*, draft: Draft) -> Step:
    return {"do": "mark_paid", "invoice": _place(draft=draft, status=draft.rng.choice(["open", "uncollectible"]))}


def _outage(*, draft: Draft) -> Step:
    until = draft.now + dt.timedelta(hours=draft.rng.choice([5, 24 * 40, 24 * 70, 24 * 100]))
    ends = draft.ends()
    return {"do": "outage", "until": times.text(at=draft.rng.choice(ends) if ends and draft.chance(0.3) else until)}


KINDS: list[tuple[int, Callable[..., Step]]] = [
    (4, _subscribe),
    (13, _change),
    (4, _cancel),
    (2, _uncancel),
    (3, _pause),
    (3, _resume),
    (14, _usage),
    (5, _method),
    (3, _coupon),
    (3, _charge),
    (2, _grant),
    (5, _refund),
    (2, _void),
    (2, _write_off),
    (2, _mark_paid),
    (5, _outage),
]


def _weight(*, draft: Draft, usual: int, make: Callable[..., Step]) -> int:
    """Rarer or more often where the story asks for it."""
    states = {state["status"] for state in draft.view["subscriptions"].values()}
    if make is _subscribe:
        usual *= 4 if draft.began() else 1
        return usual if len(draft.subs) < 4 else 0
    if make is _resume:
        return 10 if "paused" in states else 1
    if make is _uncancel:
        return 6 if any(sub.canceling for sub in draft.live()) else 1
    if make in {_void, _write_off, _mark_paid}:
        return 4 if any(document["status"] == "open" for document in draft.view["invoices"]) else 1
    return usual if draft.live() else 1


def _leaning(*, rng: Random) -> list[float]:
    """How much rarer or more often than usual each kind of step is in this story: many of few kinds meet more."""
    return [8 ** rng.uniform(-1, 1) for _ in KINDS] if rng.random() < LEANING else [1.0] * len(KINDS)


def _add(*, draft: Draft, leaning: list[float]) -> None:
    """One more step; most of those that would be refused are left out."""
    weights = [
        _weight(draft=draft, usual=usual, make=make) * lean for (usual, make), lean in zip(KINDS, leaning, strict=True)
    ]
    make = draft.rng.choices([make for _, make in KINDS], weights=weights)[0] if draft.subs else _subscribe
    timeline = draft.scenario["timeline"]
    timeline.append({"at": times.text(at=draft.now)} | make(draft=draft))
    draft.look()
    if any(refusal["step"] == len(timeline) for refusal in draft.view["refusals"]) and not draft.chance(KEPT):
        _forget(draft=draft, step=timeline.pop())
        draft.look()


def _forget(*, draft: Draft, step: Step) -> None:
    if step["do"] == "change":
        draft.subs[step["subscription"]].lists.pop()


def _expectations(*, scenario: dict[str, Any]) -> None:
    for refusal in play(scenario)["refusals"]:
        scenario["timeline"][refusal["step"] - 1]["expect_error"] = refusal["code"]


def _swap(*, rng: Random, timeline: list[Step]) -> None:
    """Puts one step before another of an earlier moment; the file's order only matters within a moment."""
    n = rng.randrange(len(timeline) - 1)
    if timeline[n]["at"] != timeline[n + 1]["at"]:
        timeline[n], timeline[n + 1] = timeline[n + 1], timeline[n]


def _start(*, rng: Random) -> dt.datetime:
    """Often at a month's end or in the hours that a clock change touches."""
    if rng.random() < catalog.ODD:
        return rng.choice(TURNS) + dt.timedelta(days=rng.choice([-31, -1, 0, 1]), seconds=rng.randint(0, 86_399))
    start = dt.datetime(rng.choice([2024, 2025, 2026]), rng.choice([1, 1, 2, 3, 9, 10]), 1, tzinfo=dt.UTC)
    last = 28 if start.month == 2 else 30
    if rng.random() < 0.3:
        return start.replace(day=rng.choice([28, last]), hour=rng.choice([0, 1, 2, 23]), minute=30)
    return start.replace(day=rng.choice([1, 1, 15, last]))


def scenario(seed: int) -> dict[str, Any]:
    """The valid scenario of a seed."""
    rng = Random(seed)
    seller = catalog.seller(rng=rng)
    start = _start(rng=rng)
    body: dict[str, Any] = {
        "scenario": 1,
        "about": f"origin: generated, seed {seed}",
        "seller": seller,
        "prices": catalog.prices(rng=rng, seller=seller),
        "coupons": catalog.coupons(rng=rng),
        "customers": catalog.customers(rng=rng, seller=seller),
        "timeline": [],
        "until": times.text(at=start),
    }
    draft = Draft(rng=rng, scenario=body, now=start)
    draft.look()
    target = rng.randint(6, 25)
    leaning = _leaning(rng=rng)
    while len(body["timeline"]) < target and draft.now < start + dt.timedelta(days=150):
        _add(draft=draft, leaning=leaning)
        draft.now = draft.later()
    yearly = any(price["interval"] == "year" for price in body["prices"].values())
    rest = rng.choice([0, 20, 50, 370] if yearly else [0, 20, 50])
    body["until"] = times.text(at=draft.later() + dt.timedelta(days=rest))
    if rng.random() < 0.1:
        _swap(rng=rng, timeline=body["timeline"])
    _expectations(scenario=body)
    return body


def main(*, arguments: list[str]) -> int:
    """Prints the scenario of a seed."""
    sys.stdout.write(yaml.safe_dump(scenario(int(arguments[0])), sort_keys=False, width=120))
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments=sys.argv[1:]))
