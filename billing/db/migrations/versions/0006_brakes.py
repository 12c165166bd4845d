"""Brakes: charging and issuing stop for everything, a seller or a customer."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.brake (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    seller_id UUID,
    profile_id UUID,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    work_item_id UUID NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_brake PRIMARY KEY (id),
    CONSTRAINT fk_brake_seller_id FOREIGN KEY(seller_id) REFERENCES billing.seller (id),
    CONSTRAINT fk_brake_profile_id FOREIGN KEY(profile_id, seller_id) REFERENCES billing.profile (id, seller_id),
    CONSTRAINT ck_brake_kind_known CHECK (kind IN ('collect', 'issue')),
    CONSTRAINT ck_brake_customer_of_a_seller CHECK (profile_id IS NULL OR seller_id IS NOT NULL),
    CONSTRAINT ck_brake_who_and_why CHECK (actor <> '' AND reason <> '')
)
"""
    )
    op.execute(
        """
CREATE UNIQUE INDEX uq_brake_in_force ON billing.brake (kind, seller_id, profile_id)
NULLS NOT DISTINCT WHERE released_at IS NULL
"""
    )
