"""The check of a VAT number that is gone is NULL: it had been written as a JSON null, which is a value in SQL."""

from __future__ import annotations

from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE billing.profile SET tax_id_check = NULL WHERE tax_id_check = 'null'::jsonb")
