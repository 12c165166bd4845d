"""Guards by seller: what is out of the ordinary is held as drafts."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
ALTER TABLE billing.seller ADD COLUMN guard_volume INTEGER, ADD COLUMN guard_amount INTEGER,
    ADD COLUMN guard_catch_up INTEGER,
    ADD CONSTRAINT ck_seller_guards_are_above CHECK (guard_volume > 1 AND guard_amount > 1 AND guard_catch_up > 0)
"""
    )
    op.execute(
        """
CREATE TABLE billing.issued_day (
    seller_id UUID NOT NULL,
    day DATE NOT NULL,
    currency TEXT NOT NULL,
    documents BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    CONSTRAINT pk_issued_day PRIMARY KEY (seller_id, day, currency),
    CONSTRAINT fk_issued_day_seller_id FOREIGN KEY(seller_id) REFERENCES billing.seller (id),
    CONSTRAINT ck_issued_day_documents_positive CHECK (documents > 0)
)
"""
    )
