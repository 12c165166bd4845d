"""The bucket of calls to a provider, that all workers share."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.provider_rate (
    id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    endpoint TEXT NOT NULL,
    limit_per_s DOUBLE PRECISION NOT NULL,
    rate_per_s DOUBLE PRECISION NOT NULL,
    ceiling_per_s DOUBLE PRECISION,
    grown_at TIMESTAMP WITH TIME ZONE NOT NULL,
    slowed_at TIMESTAMP WITH TIME ZONE,
    next_at TIMESTAMP WITH TIME ZONE NOT NULL,
    assured_at TIMESTAMP WITH TIME ZONE NOT NULL,
    held_until TIMESTAMP WITH TIME ZONE,
    counted_from TIMESTAMP WITH TIME ZONE NOT NULL,
    counted INTEGER NOT NULL,
    measured_per_s DOUBLE PRECISION NOT NULL,
    throttled INTEGER NOT NULL,
    down_streak INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    probe_until TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_provider_rate PRIMARY KEY (id),
    CONSTRAINT fk_provider_rate_provider_account_id FOREIGN KEY(provider_account_id)
        REFERENCES billing.provider_account (id),
    CONSTRAINT uq_provider_rate_provider_account_id_endpoint UNIQUE (provider_account_id, endpoint),
    CONSTRAINT ck_provider_rate_rates_positive CHECK (limit_per_s > 0 AND rate_per_s > 0)
) WITH (fillfactor = 50)
"""
    )
