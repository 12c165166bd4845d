"""Operators of the console, their sessions, and tries to come in."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import add_check

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A new purpose is allowed beside the old ones, so that no row that stands can break it.
    add_check(
        "data_key",
        "ck_data_key_purpose_known",
        "purpose IN ('profile', 'document', 'inbox', 'endpoint', 'operator')",
    )
    op.execute(
        """
CREATE TABLE billing.operator (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    password_hash TEXT,
    second_factor BYTEA,
    code_step INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_operator PRIMARY KEY (id),
    CONSTRAINT uq_operator_name UNIQUE (name),
    CONSTRAINT ck_operator_name_shape CHECK (name ~ '^[a-z0-9][a-z0-9._@+-]{0,99}$'),
    CONSTRAINT ck_operator_password_with_second_factor CHECK ((password_hash IS NULL) = (second_factor IS NULL)),
    CONSTRAINT ck_operator_role_known CHECK (role IN ('viewer', 'operator', 'finance', 'admin')),
    CONSTRAINT ck_operator_status_known CHECK (status IN ('on', 'off'))
)
"""
    )
    op.execute(
        """
CREATE TABLE billing.operator_session (
    id UUID NOT NULL,
    operator_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    told TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_operator_session PRIMARY KEY (id),
    CONSTRAINT uq_operator_session_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_operator_session_operator_id FOREIGN KEY (operator_id) REFERENCES billing.operator (id)
)
"""
    )
    op.execute("CREATE INDEX ix_operator_session_operator_id ON billing.operator_session (operator_id)")
    op.execute(
        """
CREATE TABLE billing.login_try (
    id UUID NOT NULL,
    name_index BYTEA NOT NULL,
    network TEXT NOT NULL,
    succeeded BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_login_try PRIMARY KEY (id)
)
"""
    )
    op.execute("CREATE INDEX ix_login_try_name_index ON billing.login_try (name_index, created_at)")
    op.execute("CREATE INDEX ix_login_try_network ON billing.login_try (network, created_at)")
