"""Audit runs, and the seals of whole audits."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.audit_run (
    id UUID NOT NULL,
    scope TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    rows_seen BIGINT NOT NULL,
    violations INTEGER NOT NULL,
    by_code JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_audit_run PRIMARY KEY (id),
    CONSTRAINT ck_audit_run_scope_known CHECK (scope IN ('whole', 'recent'))
)
"""
    )
    op.execute("CREATE INDEX ix_audit_run_clean ON billing.audit_run (began_at) WHERE violations = 0")
    op.execute(
        """
CREATE TABLE billing.audit_seal (
    id UUID NOT NULL,
    table_name TEXT NOT NULL,
    upto UUID NOT NULL,
    rows BIGINT NOT NULL,
    digest TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_audit_seal PRIMARY KEY (id)
)
"""
    )
    op.execute(
        """
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON billing.audit_seal
FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )


def downgrade() -> None:
    op.execute("DROP TABLE billing.audit_seal")
    op.execute("DROP TABLE billing.audit_run")
