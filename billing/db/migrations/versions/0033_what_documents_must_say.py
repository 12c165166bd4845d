"""Sellers say whether an invoice that lacks what the law asks for waits. Those that are here go on as they did."""

from __future__ import annotations

from billing.db.migrations.online import add_check, add_column

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("seller", "complete_documents BOOLEAN DEFAULT false NOT NULL")
    add_column("seller", "e_invoices TEXT DEFAULT 'off' NOT NULL")
    add_check("seller", "ck_seller_e_invoices_known", "e_invoices IN ('off', 'small', 'large')")
