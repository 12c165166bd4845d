"""What the command line can do, a program can do too, or there is a reason why not; a new verb must say which."""

from __future__ import annotations

from collections.abc import Iterator

import click

from billing.__main__ import COMMANDS, cli
from billing.api.table import OPERATIONS
from tests.api.document import COMMITTED

OF_THE_HOUSE = "it is about the installation, not about one seller's customers"
BY_FILE = "a file of any size is for the machine that has it"

ROUTES = {
    "invoice list": "list_invoices",
    "invoice show": "show_invoice explain_invoice show_invoice_parties",
    "invoice pdf": "print_invoice",
    "invoice html": "show_invoice_page",
    "invoice link": "link_to_document",
    "invoice retry": "retry_invoice",
    "invoice void": "void_invoice",
    "invoice mark-uncollectible": "write_off_invoice",
    "invoice mark-paid": "mark_paid_invoice",
    "invoice credit": "credit_invoice",
    "invoice apply-credit": "apply_credit_to_invoice",
    "invoice replace": "replace_invoice",
    "draft add-line": "add_line",
    "draft remove-line": "remove_line",
    "draft release": "release",
    "price move": "move_price",
    "payment list": "list_payments",
    "payment show": "show_payment",
    "payment resolve": "resolve_payment",
    "payment link": "link_to_pay_invoice",
    "profile show": "show_profile show_credit list_payment_methods",
    "profile credit": "grant_credit",
    "profile pay-out": "pay_out_credit",
    "profile write-off": "write_off_carried_forward",
    "profile charge": "charge_once",
    "profile link": "link_to_profile",
    "profile export": "export_person",
    "profile erase": "erase_person",
    "profile revoke-links": "revoke_links",
    "subscription show": "show_subscription",
    "subscription preview": "preview_change preview_cancel",
    "subscription apply": "apply_preview",
    "subscription change": "change_subscription",
    "subscription cancel": "cancel_subscription",
    "subscription uncancel": "uncancel_subscription",
    "subscription pause": "pause_subscription",
    "subscription resume": "resume_subscription",
    "subscription coupon": "coupon_subscription",
    "refund": "refund_invoice list_refunds show_refund",
    "dispute list": "list_disputes",
    "dispute show": "show_dispute",
    "dispute write-off": "write_off_dispute",
    "dispute credit": "credit_dispute",
    "collect stop": "stop_brake",
    "collect start": "start_brake",
    "issue stop": "stop_brake",
    "issue start": "start_brake",
    "tax-rate list": "list_tax_rates",
    "tax-rate show": "show_tax_rate",
    "tax-rate change": "put_tax_rate",
    "tax-rate withdraw": "put_tax_rate",
    "ledger trial-balance": "show_trial_balance",
    "ledger close": "close_month",
    "ledger account": "name_account",
    "report tax": "report_tax",
    "report aging": "report_aging",
    "report deferred": "report_deferred",
    "report payouts": "report_payouts",
    "report payout": "report_payout",
    "usage record": "record_usage",
    "usage late": "list_late_usage",
    "work list": "list_work_items",
    "work show": "show_work_item",
    **{
        f"work {verb}": "act_on_work_item"
        for verb in ("retry", "park", "accept", "discard", "adopt", "reread", "release", "merge", "skip", "refund")
    },
    "work credit": "settle_work_item",
    "work paid": "settle_work_item",
    "acceptance list": "list_acceptances",
    "acceptance show": "show_acceptance",
    "acceptance revoke": "revoke_acceptance",
    "events list": "list_provider_events",
    "events show": "show_provider_event show_provider_event_body",
    "events replay": "replay_provider_event",
    "endpoints add": "add_endpoint",
    "endpoints list": "list_endpoints",
    "endpoints show": "show_endpoint list_deliveries",
    "endpoints contact": "set_endpoint_contact",
    "endpoints rotate": "rotate_endpoint",
    "endpoints test": "test_endpoint",
    "endpoints replay": "replay_events",
    "endpoints on": "turn_on_endpoint",
    "endpoints off": "turn_off_endpoint",
}
NOT = {
    "import": BY_FILE,
    "ledger export": BY_FILE,
    "events backfill": OF_THE_HOUSE,
    **dict.fromkeys(
        ("check", "db", "tick", "operator", "keys", "reconcile", "audit", "shell", "seller", "domain"), OF_THE_HOUSE
    ),
    **{name: OF_THE_HOUSE for name, entry in COMMANDS.items() if entry.module.startswith("billing.sandbox")},
}


def _verbs(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            assert inner is not None
            yield from _verbs(inner, f"{name} {each}".strip())
    else:
        yield name


def test_every_verb_of_the_command_line_has_its_route_or_a_reason() -> None:
    context = click.Context(cli)
    verbs = set()
    for group in COMMANDS:
        if group in NOT:
            verbs.add(group)
            continue
        command = cli.get_command(context, group)
        assert command is not None
        verbs |= set(_verbs(command, group))
    assert verbs == ROUTES.keys() | NOT.keys()


def test_those_routes_are_there() -> None:
    there = {each.name for each in OPERATIONS}
    assert {name for names in ROUTES.values() for name in names.split()} <= there
    assert all(f'"operationId": "{name}"' in COMMITTED.read_text() for name in there)
