"""Row-level security: a door that acts for one seller sees that seller's rows alone.

The role belongs to the whole server. Where we may not make it, the first wall stands alone, and a warning says so.
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_TABLES = """
    api_answer api_key audit_trail billing_period brake coupon credit_balance delivery difference dispute
    endpoint external_payment fraud_warning invoice invoice_line issued_day ledger_entry month_close notice
    outbox payment payment_intent payment_method posting price product profile provider_customer
    provider_movement provider_write refund revenue_movement revenue_schedule seller series subscription
    subscription_item subscription_pause tax_rate unapplied_payment usage_accrual usage_record waiting_line
    work_item
"""
_MINE = "(SELECT NULLIF(current_setting('billing.seller', true), '')::uuid)"


def upgrade() -> None:
    op.execute(
        """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_seller') THEN
        BEGIN
            CREATE ROLE billing_seller NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of this server was quicker
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'billing_seller', 'MEMBER') THEN
        GRANT billing_seller TO CURRENT_USER;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the role billing_seller could not be made: the API acts without row-level security until it is';
END
$$
"""
    )
    op.execute(
        """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_seller') THEN
        GRANT USAGE ON SCHEMA billing TO billing_seller;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA billing TO billing_seller;
        REVOKE ALL ON billing.operator, billing.operator_session, billing.login_try, billing.api_use FROM billing_seller;
        ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO billing_seller;
    END IF;
END
$$
"""
    )
    for table in _TABLES.split():
        condition = f"{'id' if table == 'seller' else 'seller_id'} = {_MINE}"
        if table == "brake":
            condition = f"seller_id IS NULL OR {condition}"
        op.execute(f"ALTER TABLE billing.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_seller ON billing.{table} USING ({condition})")
