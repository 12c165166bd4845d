"""Exchange rates as they are published, for tax in a seller's own currency."""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.exchange_rate (
    source TEXT NOT NULL,
    currency TEXT NOT NULL,
    day DATE NOT NULL,
    per_euro NUMERIC NOT NULL,
    CONSTRAINT pk_exchange_rate PRIMARY KEY (source, currency, day),
    CONSTRAINT ck_exchange_rate_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_exchange_rate_per_euro_positive CHECK (per_euro > 0)
)
"""
    )
    op.execute(
        """
CREATE TABLE billing.rate_source (
    source TEXT NOT NULL,
    next_read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_rate_source PRIMARY KEY (source)
)
"""
    )
