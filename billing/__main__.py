"""The console script `billing`: joins the operators' commands and the playground's, each loaded when it is called."""

from __future__ import annotations

from billing.ops.console import Console
from billing.ops.lazy import Entry
from billing.sandbox import environment

COMMANDS = {
    "demo": Entry(
        "billing.sandbox.commands", "Play months of a company's billing, with faults, and prove it.", playground=True
    ),
    "up": Entry("billing.sandbox.commands", "Start the embedded stack; data survives a restart.", playground=True),
    "down": Entry("billing.sandbox.commands", "Stop the embedded stack."),
    "status": Entry("billing.sandbox.commands", "Show what of the embedded stack runs."),
    "env": Entry(
        "billing.sandbox.commands",
        'Print the running stack\'s environment for a program of your own: eval "$(billing env)".',
        playground=True,
    ),
    "clock": Entry("billing.sandbox.commands", "Show or advance the sandbox's business time.", playground=True),
    "sandbox": Entry(
        "billing.sandbox.commands", "Run a stand-in for a payment provider; tell a one-time code.", playground=True
    ),
    "simulate": Entry(
        "billing.sandbox.scenario.command",
        "Play a scenario file, or each of a folder, with the real flows on a scratch database.",
        playground=True,
    ),
    "shell": Entry("billing.sandbox.commands", "A Python prompt with settings, session and models at hand."),
    "check": Entry("billing.ops.check", "Check settings, database, broker, providers and workers."),
    "domain": Entry(
        "billing.ops.domain", "The domain of the customer's page: register it, so that wallets are offered there."
    ),
    "db": Entry(
        "billing.ops.database", "Bring the database to this code's revision, compare the two, or wrap its keys anew."
    ),
    "import": Entry(
        "billing.ops.importing",
        "Take in sellers, catalog, customers and subscriptions from FILE (.csv, .yaml or .yml).",
    ),
    "tick": Entry("billing.ops.tick", "Send one beat entry now, as beat would."),
    "invoice": Entry(
        "billing.ops.invoice",
        "Invoices: list, show, print, try again, void, write off, mark paid, credit, pay by credit.",
    ),
    "draft": Entry("billing.ops.draft", "Drafts under review: add or remove a line, release."),
    "seller": Entry(
        "billing.ops.seller", "Sellers: show, change what they are called on documents, and their settings."
    ),
    "tax-rate": Entry("billing.ops.tax_rate", "Tax rates: list, show, let one change from a day on, take that back."),
    "price": Entry("billing.ops.price", "Prices: move subscriptions to another one."),
    "payment": Entry(
        "billing.ops.payment", "Attempts to move money: list, show, ask the provider, let the customer pay."
    ),
    "profile": Entry(
        "billing.ops.profile",
        "Customers: show, give credit, write off cents, charge once, link to their page, export, erase.",
    ),
    "subscription": Entry(
        "billing.ops.subscription", "Subscriptions: show, preview, change, cancel, pause, give a coupon."
    ),
    "refund": Entry(
        "billing.ops.refund",
        "Give back what was paid on an invoice through the provider, all or a part, with a credit note.",
    ),
    "dispute": Entry("billing.ops.dispute", "Disputes: list, show, decide on a lost one."),
    "collect": Entry("billing.ops.brake", "The brake of charging: stop, start."),
    "issue": Entry("billing.ops.brake", "The brake of issuing: stop, start."),
    "ledger": Entry("billing.ops.ledger", "The books: trial balance, export, closing a month, numbers of accounts."),
    "report": Entry(
        "billing.ops.report",
        "Reports that tie to the trial balance: tax, aging, deferred, payouts, and what one payout holds.",
    ),
    "usage": Entry("billing.ops.usage", "Usage of metered prices: record a file, list what came late."),
    "work": Entry("billing.ops.work", "Failed and stuck work: list, show, retry, park, discard, and the rest."),
    "acceptance": Entry("billing.ops.acceptance", "Findings of the audit that were accepted: list, show, revoke."),
    "events": Entry("billing.ops.events", "Provider events received: list, show, replay, backfill."),
    "endpoints": Entry(
        "billing.ops.endpoints",
        "Where the host application hears of events: add, list, show, contact, rotate, test, replay, on, off.",
    ),
    "operator": Entry("billing.ops.operator", "Who may enter the console: add, list, disable, enable, role, reset."),
    "keys": Entry("billing.ops.api_key", "Keys of the HTTP API: create, list, rotate, revoke."),
    "reconcile": Entry(
        "billing.ops.reconcile", "Compare our attempts and refunds with the provider's records, both ways."
    ),
    "audit": Entry(
        "billing.ops.audit",
        "Check every invariant over the whole database and, where reachable, the providers' witnesses.",
    ),
}

cli = Console(
    name="billing",
    entries=COMMANDS,
    adopt=environment.adopt,
    down=environment.down,
    help="Renew, invoice, charge and settle subscriptions.",
)


def main() -> None:
    """Run the console script."""
    cli(prog_name="billing")


if __name__ == "__main__":
    main()
