"""What an order is called at PayPal: our ids of the attempt and of its customer, in `custom_id`, the invoice beside it.

`custom_id` is the one field that captures, events and the report of transactions all show. PayPal's lists know no
customers, so without it nobody could tell whose a charge is once its row was lost. Both ids are random; nothing
personal is in them.

A refund that somebody makes in PayPal's dashboard has the name of its order. A refund of ours has a plain id, so no
order has one: it would be taken for a refund whose row was lost. Older orders have that of their attempt, and who
looks for lost refunds leaves attempts out.

`invoice_id` is a lock: where the account blocks accidental payments, PayPal takes money for one such id once, and opens
that lock no more when the money is sent back. So the name changes with each charge of the invoice that was proven and
is kept apart, whose lock is used up, and with nothing else.
"""

from __future__ import annotations

from uuid import UUID

from billing.providers.port import ChargeRequest

_BETWEEN = "."


def order_name(request: ChargeRequest) -> str:
    """`<attempt>.<anonymous id>`; without the latter where the customer has a name that is none of ours."""
    try:
        return f"{request.payment_id}{_BETWEEN}{UUID(request.customer_ref)}"
    except ValueError:
        return f"{request.payment_id}{_BETWEEN}"


def attempt_of(custom_id: str | None) -> str | None:
    """The attempt that an order names."""
    return custom_id.partition(_BETWEEN)[0] if custom_id else None


def customer_of(custom_id: str | None) -> str | None:
    """The customer that it names; None where it names none."""
    return custom_id.partition(_BETWEEN)[2] or None if custom_id else None


def invoice_name(request: ChargeRequest) -> str:
    """Our id of the invoice; `<id>.<n>` once n charges of it were kept apart."""
    return f"{request.invoice_id}{_BETWEEN}{request.spent_before}" if request.spent_before else str(request.invoice_id)


def invoice_of(invoice_id: str | None) -> str | None:
    """The invoice that an order names."""
    return invoice_id.partition(_BETWEEN)[0] if invoice_id else None
