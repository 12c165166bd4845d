"""The HTTP API: keys by their hash, their use, answers for a day; documents are listed by seller and kind."""

from __future__ import annotations

from alembic import op

from billing.db.migrations.online import build_index

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index("ix_invoice_listed", "invoice (seller_id, kind, id)")
    build_index("ix_invoice_unsettled", "invoice (seller_id, status, id) WHERE kind = 'invoice' AND status <> 'paid'")
    op.execute(
        """
CREATE TABLE billing.api_key (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    scopes TEXT[] NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_api_key PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_api_key_prefix UNIQUE (prefix),
    CONSTRAINT uq_api_key_hash UNIQUE (hash),
    CONSTRAINT fk_api_key_seller_id FOREIGN KEY (seller_id) REFERENCES billing.seller (id),
    CONSTRAINT ck_api_key_says_who_may_what CHECK (name <> '' AND scopes <> '{}')
)
"""
    )
    op.execute(
        """
CREATE TABLE billing.api_use (
    prefix TEXT NOT NULL,
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    requests INTEGER NOT NULL,
    CONSTRAINT pk_api_use PRIMARY KEY (prefix),
    CONSTRAINT fk_api_use_prefix FOREIGN KEY (prefix) REFERENCES billing.api_key (prefix)
) WITH (fillfactor = 20)
"""
    )
    op.execute(
        """
CREATE TABLE billing.api_answer (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status INTEGER NOT NULL,
    body BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_api_answer PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_api_answer_seller_id_key UNIQUE (seller_id, key),
    CONSTRAINT fk_api_answer_seller_id FOREIGN KEY (seller_id) REFERENCES billing.seller (id)
)
"""
    )
