"""Each invoiced line's way from deferred revenue to revenue."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.seller ADD COLUMN revenue_recognition TEXT DEFAULT 'month' NOT NULL")
    op.execute(
        """
ALTER TABLE billing.seller ADD CONSTRAINT ck_seller_revenue_recognition_known
CHECK (revenue_recognition IN ('day', 'month'))
"""
    )
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(
        """
ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known
CHECK (kind IN ('issue', 'payment', 'unapplied_payment', 'credit_grant', 'void', 'refund_sent', 'write_off', 'write_off_back', 'external_payment', 'recognition'))
"""
    )

    op.execute(
        """
CREATE TABLE billing.revenue_schedule (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    invoice_id UUID NOT NULL,
    currency TEXT NOT NULL,
    issued_on DATE NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    net_minor BIGINT NOT NULL,
    credited_minor BIGINT DEFAULT 0 NOT NULL,
    recognised_minor BIGINT DEFAULT 0 NOT NULL,
    base_on DATE NOT NULL,
    base_minor BIGINT DEFAULT 0 NOT NULL,
    open_on DATE NOT NULL,
    next_on DATE,
    next_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_revenue_schedule PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_revenue_schedule_invoice_id FOREIGN KEY(invoice_id, seller_id) REFERENCES billing.invoice (id, seller_id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_revenue_schedule_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_revenue_schedule_dates_order CHECK (starts_on <= ends_on),
    CONSTRAINT ck_revenue_schedule_credited_within_net CHECK (credited_minor BETWEEN 0 AND greatest(net_minor, 0)),
    CONSTRAINT ck_revenue_schedule_recognised_within_net CHECK (recognised_minor BETWEEN least(net_minor - credited_minor, 0) AND greatest(net_minor - credited_minor, 0)),
    CONSTRAINT ck_revenue_schedule_over_when_earned CHECK (next_at IS NOT NULL OR recognised_minor = net_minor - credited_minor),
    CONSTRAINT ck_revenue_schedule_next_whole CHECK ((next_at IS NULL) = (next_on IS NULL))
)
 WITH (fillfactor = 85)
"""
    )
    op.execute(
        """
CREATE INDEX ix_revenue_schedule_next_at ON billing.revenue_schedule (next_at) WHERE next_at IS NOT NULL
"""
    )

    op.execute(
        """
CREATE TABLE billing.revenue_movement (
    entry_id UUID NOT NULL,
    line_id UUID NOT NULL,
    seller_id UUID NOT NULL,
    deferred_minor BIGINT NOT NULL,
    recognised_minor BIGINT NOT NULL,
    CONSTRAINT pk_revenue_movement PRIMARY KEY (entry_id, line_id),
    CONSTRAINT fk_revenue_movement_entry_id FOREIGN KEY(entry_id, seller_id) REFERENCES billing.ledger_entry (id, seller_id),
    CONSTRAINT ck_revenue_movement_moves_something CHECK (deferred_minor <> 0 OR recognised_minor <> 0)
)
"""
    )
    op.execute(
        """
CREATE INDEX ix_revenue_movement_line_id ON billing.revenue_movement (line_id)
"""
    )
    op.execute(
        """
CREATE TRIGGER revenue_movement_append_only BEFORE UPDATE OR DELETE ON billing.revenue_movement
FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )
