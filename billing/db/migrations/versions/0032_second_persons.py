"""Orders that a second person approves, and the blind index by which a customer is found by e-mail."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check, add_column, build_index

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A new purpose is allowed beside the old ones, so that no row that stands can break it.
    add_check(
        "data_key",
        "ck_data_key_purpose_known",
        "purpose IN ('profile', 'document', 'inbox', 'endpoint', 'operator', 'email_index')",
    )
    add_column("profile", "email_index BYTEA")
    build_index("ix_profile_email_index", "profile (email_index)")
    build_index("ix_profile_unindexed", "profile (id) WHERE email_index IS NULL")
    op.execute(
        """
CREATE TABLE billing.operator_order (
    id UUID NOT NULL,
    action TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id UUID NOT NULL,
    amount_minor BIGINT,
    currency TEXT,
    facts JSONB NOT NULL,
    asked_by UUID NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_reason TEXT,
    decided_at TIMESTAMP WITH TIME ZONE,
    told TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_operator_order PRIMARY KEY (id),
    CONSTRAINT fk_operator_order_asked_by FOREIGN KEY (asked_by) REFERENCES billing.operator (id),
    CONSTRAINT fk_operator_order_decided_by FOREIGN KEY (decided_by) REFERENCES billing.operator (id),
    CONSTRAINT ck_operator_order_action_known
        CHECK (action IN ('refund', 'write_off', 'credit_note', 'credit', 'work')),
    CONSTRAINT ck_operator_order_status_known
        CHECK (status IN ('waiting', 'running', 'done', 'refused', 'declined', 'expired', 'unclear')),
    CONSTRAINT ck_operator_order_second_is_another CHECK (decided_by <> asked_by),
    CONSTRAINT ck_operator_order_amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CONSTRAINT ck_operator_order_why CHECK (reason <> ''),
    CONSTRAINT ck_operator_order_currency_shape CHECK (currency ~ '^[a-z]{3}$')
)
"""
    )
    # What is of operators is of no seller's door, which gets new tables by default.
    op.execute(
        """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_seller') THEN
        REVOKE ALL ON billing.operator_order FROM billing_seller;
    END IF;
END
$$
"""
    )
    op.execute(
        "CREATE INDEX ix_operator_order_open ON billing.operator_order (expires_at) "
        "WHERE status IN ('waiting', 'running')"
    )
    op.execute("CREATE INDEX ix_operator_order_asked_by ON billing.operator_order (asked_by, created_at)")
