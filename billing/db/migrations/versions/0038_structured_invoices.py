"""Structured invoices wait for the host application's transport."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.e_invoice (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    invoice_id UUID NOT NULL,
    country TEXT NOT NULL,
    law TEXT NOT NULL,
    status TEXT NOT NULL,
    reference TEXT,
    reason TEXT,
    tries INTEGER NOT NULL,
    token INTEGER NOT NULL,
    next_try_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_e_invoice PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_e_invoice_invoice_id FOREIGN KEY (invoice_id, seller_id) REFERENCES billing.invoice (id, seller_id),
    CONSTRAINT uq_e_invoice_invoice_id UNIQUE (invoice_id),
    CONSTRAINT ck_e_invoice_status_known CHECK (status IN ('waiting', 'sent', 'failed')),
    CONSTRAINT ck_e_invoice_waits_or_closed CHECK (
        (status = 'waiting') = (next_try_at IS NOT NULL) AND (status = 'waiting') = (closed_at IS NULL))
)
"""
    )
    op.execute("CREATE INDEX ix_e_invoice_waiting ON billing.e_invoice (next_try_at) WHERE status = 'waiting'")
    op.execute("ALTER TABLE billing.e_invoice ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY one_seller ON billing.e_invoice "
        "USING (seller_id = (SELECT NULLIF(current_setting('billing.seller', true), '')::uuid))"
    )
