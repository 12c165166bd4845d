"""A finding of the audit that can't be undone is accepted by a person, in just the words in which it was told."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_column

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("audit_run", "accepted JSONB NOT NULL DEFAULT '{}'")
    add_column("work_item", "findings JSONB")
    op.execute(
        """
CREATE TABLE billing.audit_acceptance (
    id UUID NOT NULL,
    seller_id UUID,
    code TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    detail TEXT NOT NULL,
    witnessed BOOLEAN NOT NULL,
    work_item_id UUID NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by TEXT,
    revoked_because TEXT,
    version INTEGER DEFAULT 1 NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_audit_acceptance PRIMARY KEY (id),
    CONSTRAINT fk_audit_acceptance_seller_id FOREIGN KEY(seller_id) REFERENCES billing.seller (id),
    CONSTRAINT ck_audit_acceptance_who_and_why CHECK (actor <> '' AND reason <> ''),
    CONSTRAINT ck_audit_acceptance_who_and_why_revoked CHECK (
        num_nulls(revoked_at, revoked_by, revoked_because) IN (0, 3)
    )
)
"""
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_audit_acceptance_in_force ON billing.audit_acceptance "
        "(code, subject_type, subject_id, md5(detail)) WHERE revoked_at IS NULL"
    )
    op.execute("ALTER TABLE billing.audit_acceptance ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY one_seller ON billing.audit_acceptance "
        "USING (seller_id = (SELECT NULLIF(current_setting('billing.seller', true), '')::uuid))"
    )


def downgrade() -> None:
    op.execute("DROP TABLE billing.audit_acceptance")
    op.execute("ALTER TABLE billing.work_item DROP COLUMN findings")
    op.execute("ALTER TABLE billing.audit_run DROP COLUMN accepted")
