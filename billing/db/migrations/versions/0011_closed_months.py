"""Months of the books that are closed."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.month_close (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    month DATE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    balances JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_month_close PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_month_close_seller_id FOREIGN KEY (seller_id) REFERENCES billing.seller (id),
    CONSTRAINT uq_month_close_seller_id_month UNIQUE (seller_id, month),
    CONSTRAINT ck_month_close_month_begins CHECK (extract(day FROM month) = 1)
)
"""
    )
    op.execute(
        """
CREATE TRIGGER month_close_append_only BEFORE UPDATE OR DELETE ON billing.month_close
FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )
