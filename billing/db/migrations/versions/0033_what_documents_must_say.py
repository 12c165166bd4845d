"""Sellers say whether an invoice that lacks what the law asks for waits. Those that are here go on as they did."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE billing.seller
            ADD COLUMN complete_documents BOOLEAN DEFAULT false NOT NULL,
            ADD COLUMN e_invoices TEXT DEFAULT 'off' NOT NULL,
            ADD CONSTRAINT ck_seller_e_invoices_known CHECK (e_invoices IN ('off', 'small', 'large'))
        """
    )
