"""Every way to price, and every turn in a subscription's life."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.coupon (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    code TEXT NOT NULL,
    percent NUMERIC,
    amount_minor BIGINT,
    currency TEXT,
    duration TEXT NOT NULL,
    periods INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_coupon PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_coupon_seller_id_code UNIQUE (seller_id, code),
    CONSTRAINT ck_coupon_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_coupon_duration_known CHECK (duration IN ('once', 'repeating', 'forever')),
    CONSTRAINT ck_coupon_percent_or_amount CHECK (num_nonnulls(percent, amount_minor) = 1),
    CONSTRAINT ck_coupon_percent_range CHECK (percent > 0 AND percent <= 100),
    CONSTRAINT ck_coupon_amount_positive CHECK (amount_minor > 0),
    CONSTRAINT ck_coupon_periods_by_duration CHECK ((duration = 'repeating') = (periods IS NOT NULL)),
    CONSTRAINT ck_coupon_periods_positive CHECK (periods > 0)
)
"""
    )

    op.execute(
        """
CREATE TABLE billing.credit_balance (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    profile_id UUID NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_credit_balance PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_credit_balance_profile_id_currency UNIQUE (profile_id, currency),
    CONSTRAINT ck_credit_balance_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_credit_balance_amount_not_negative CHECK (amount_minor >= 0)
)
"""
    )

    op.execute(
        """
CREATE TABLE billing.subscription_pause (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_subscription_pause PRIMARY KEY (id, seller_id),
    CONSTRAINT ck_subscription_pause_order CHECK (starts_at <= ends_at)
)
"""
    )

    op.execute(
        """
CREATE TABLE billing.usage_record (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    price_id UUID NOT NULL,
    record_id TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    counts_at TIMESTAMP WITH TIME ZONE,
    late BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_usage_record PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_usage_record_subscription_id_record_id UNIQUE (subscription_id, record_id),
    CONSTRAINT ck_usage_record_quantity_not_negative CHECK (quantity >= 0),
    CONSTRAINT ck_usage_record_late_counts_nowhere CHECK (NOT late OR counts_at IS NULL)
)
"""
    )

    op.execute(
        """
CREATE TABLE billing.waiting_line (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    kind TEXT NOT NULL,
    price_id UUID,
    description TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    unit_amount NUMERIC,
    amount_minor BIGINT NOT NULL,
    period_start TIMESTAMP WITH TIME ZONE,
    period_end TIMESTAMP WITH TIME ZONE,
    how JSONB NOT NULL,
    tax_percent NUMERIC,
    tax_inclusive BOOLEAN,
    tax_code TEXT,
    credits_line_id UUID,
    credits_issued BOOLEAN DEFAULT false NOT NULL,
    counts_from TIMESTAMP WITH TIME ZONE,
    if_used BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_waiting_line PRIMARY KEY (id, seller_id),
    CONSTRAINT ck_waiting_line_kind_known CHECK (kind IN ('usage', 'proration_credit', 'proration_charge', 'one_off')),
    CONSTRAINT ck_waiting_line_credit_names_line CHECK ((kind = 'proration_credit') = (credits_line_id IS NOT NULL)),
    CONSTRAINT ck_waiting_line_usage_counts_from CHECK ((kind = 'usage') = (counts_from IS NOT NULL)),
    CONSTRAINT ck_waiting_line_tax_whole CHECK (num_nulls(tax_percent, tax_inclusive, tax_code) IN (0, 3))
)
"""
    )

    op.execute(
        """
CREATE TABLE billing.external_payment (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    invoice_id UUID NOT NULL,
    profile_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    reference TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_external_payment PRIMARY KEY (id, seller_id),
    CONSTRAINT ck_external_payment_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_external_payment_amount_positive CHECK (amount_minor > 0)
)
"""
    )

    op.execute(
        """
CREATE TABLE billing.refund (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    invoice_id UUID NOT NULL,
    payment_id UUID NOT NULL,
    credit_note_id UUID NOT NULL,
    profile_id UUID NOT NULL,
    provider_account_id UUID NOT NULL,
    charge_ref TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT NOT NULL,
    token INTEGER NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    first_sent_at TIMESTAMP WITH TIME ZONE,
    next_check_at TIMESTAMP WITH TIME ZONE,
    checks INTEGER NOT NULL,
    refund_ref TEXT,
    reason TEXT,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    CONSTRAINT pk_refund PRIMARY KEY (id, seller_id),
    CONSTRAINT uq_refund_credit_note_id_payment_id UNIQUE (credit_note_id, payment_id),
    CONSTRAINT ck_refund_status_known CHECK (status IN ('pending', 'requires_action', 'succeeded', 'failed', 'canceled')),
    CONSTRAINT ck_refund_currency_shape CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT ck_refund_amount_positive CHECK (amount_minor > 0),
    CONSTRAINT ck_refund_closed_when_ended CHECK ((status IN ('pending', 'requires_action')) = (closed_at IS NULL))
)
"""
    )

    op.execute("ALTER TABLE billing.seller ADD COLUMN proration TEXT DEFAULT 'second' NOT NULL")
    op.execute("ALTER TABLE billing.seller ALTER COLUMN proration DROP DEFAULT")
    op.execute("ALTER TABLE billing.seller ADD COLUMN oss TEXT DEFAULT 'none' NOT NULL")
    op.execute("ALTER TABLE billing.seller ALTER COLUMN oss DROP DEFAULT")
    op.execute("ALTER TABLE billing.seller ADD COLUMN draft_review_h INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE billing.seller ALTER COLUMN draft_review_h DROP DEFAULT")
    op.execute("ALTER TABLE billing.profile ADD COLUMN tax_id_check JSONB")
    op.execute("ALTER TABLE billing.price ALTER COLUMN unit_amount DROP NOT NULL")
    op.execute("ALTER TABLE billing.price ADD COLUMN tiers JSONB")
    op.execute("ALTER TABLE billing.price ADD COLUMN package_size INTEGER")
    op.execute("ALTER TABLE billing.price ADD COLUMN usage TEXT")
    op.execute("ALTER TABLE billing.price ALTER COLUMN interval_unit DROP NOT NULL")
    op.execute("ALTER TABLE billing.subscription ADD COLUMN trial_end TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.subscription ADD COLUMN paused_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.subscription ADD COLUMN scheduled_items JSONB")
    op.execute("ALTER TABLE billing.subscription ADD COLUMN coupon_id UUID")
    op.execute("ALTER TABLE billing.subscription ADD COLUMN coupon_used INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE billing.subscription ADD COLUMN expires_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.subscription DROP CONSTRAINT ck_subscription_canceled_is_over")
    op.execute(
        "ALTER TABLE billing.subscription ADD CONSTRAINT ck_subscription_canceled_is_over "
        "CHECK (status <> 'canceled' OR ended_at IS NOT NULL)"
    )
    op.execute("ALTER TABLE billing.invoice DROP CONSTRAINT ck_invoice_tried_only_while_open")
    op.execute(
        "ALTER TABLE billing.invoice ADD CONSTRAINT ck_invoice_tried_only_while_open "
        "CHECK (status IN ('open', 'draft') OR next_attempt_at IS NULL)"
    )
    op.execute("DROP INDEX billing.ix_invoice_due")
    op.execute(
        "CREATE INDEX ix_invoice_due ON billing.invoice (next_attempt_at) "
        "WHERE status IN ('open', 'draft') AND next_attempt_at IS NOT NULL AND hold_id IS NULL"
    )
    op.execute("ALTER TABLE billing.invoice ADD COLUMN on_schedule BOOLEAN DEFAULT true NOT NULL")
    op.execute("ALTER TABLE billing.invoice ADD COLUMN extra_try BOOLEAN DEFAULT false NOT NULL")
    op.execute("ALTER TABLE billing.invoice ADD COLUMN review_until TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.subscription_item ALTER COLUMN quantity DROP NOT NULL")
    op.execute("ALTER TABLE billing.subscription_item ADD COLUMN counts_from TIMESTAMP WITH TIME ZONE")
    op.execute(
        """
UPDATE billing.subscription_item i SET counts_from = s.started_at FROM billing.subscription s WHERE s.id = i.subscription_id
"""
    )

    op.execute("ALTER TABLE billing.subscription_item ALTER COLUMN counts_from SET NOT NULL")
    op.execute("ALTER TABLE billing.billing_period ADD COLUMN cut_at TIMESTAMP WITH TIME ZONE")
    op.execute("ALTER TABLE billing.invoice_line ADD COLUMN credits_line_id UUID")
    op.execute("ALTER TABLE billing.invoice_line ADD COLUMN credits_issued BOOLEAN DEFAULT false NOT NULL")
    op.execute("ALTER TABLE billing.price DROP CONSTRAINT ck_price_model_known")
    op.execute("ALTER TABLE billing.invoice DROP CONSTRAINT ck_invoice_kind_known")
    op.execute("ALTER TABLE billing.invoice DROP CONSTRAINT ck_invoice_amount_due_adds_up")
    op.execute("ALTER TABLE billing.invoice DROP CONSTRAINT ck_invoice_amounts_not_negative")
    op.execute("ALTER TABLE billing.billing_period DROP CONSTRAINT ck_billing_period_disposition_known")
    op.execute("ALTER TABLE billing.invoice_line DROP CONSTRAINT ck_invoice_line_discount_not_negative")
    op.execute("ALTER TABLE billing.ledger_entry DROP CONSTRAINT ck_ledger_entry_kind_known")
    op.execute(
        """
ALTER TABLE billing.billing_period ADD CONSTRAINT ck_billing_period_disposition_known CHECK ((disposition = ANY (ARRAY['billed'::text, 'trial'::text, 'paused'::text, 'skipped'::text, 'superseded'::text, 'empty'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.invoice ADD CONSTRAINT ck_invoice_amount_due_adds_up CHECK ((amount_due_minor =
CASE kind
    WHEN 'invoice'::text THEN (total_minor - credit_applied_minor)
    ELSE (0)::bigint
END))
"""
    )

    op.execute(
        """
ALTER TABLE billing.invoice ADD CONSTRAINT ck_invoice_amounts_not_negative CHECK (((total_minor >= 0) AND (credit_applied_minor >= 0) AND (amount_paid_minor >= 0) AND (amount_refunded_minor >= 0) AND (amount_remaining_minor >= 0)))
"""
    )

    op.execute(
        """
ALTER TABLE billing.invoice ADD CONSTRAINT ck_invoice_kind_known CHECK ((kind = ANY (ARRAY['invoice'::text, 'credit_note'::text, 'cancellation'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.invoice ADD CONSTRAINT ck_invoice_note_status CHECK (((kind = 'invoice'::text) OR (status = ANY (ARRAY['credited'::text, 'refunded'::text]))))
"""
    )

    op.execute(
        """
ALTER TABLE billing.ledger_entry ADD CONSTRAINT ck_ledger_entry_kind_known CHECK ((kind = ANY (ARRAY['issue'::text, 'payment'::text, 'unapplied_payment'::text, 'credit_grant'::text, 'void'::text, 'refund_sent'::text, 'write_off'::text, 'write_off_back'::text, 'external_payment'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_metered_recurs CHECK (((usage IS NULL) OR (interval_unit IS NOT NULL)))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_model_known CHECK ((model = ANY (ARRAY['per_unit'::text, 'flat'::text, 'package'::text, 'graduated'::text, 'volume'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_package_size_by_model CHECK (((model = 'package'::text) = (package_size IS NOT NULL)))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_package_size_positive CHECK ((package_size > 0))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_tiers_by_model CHECK (((model = ANY (ARRAY['graduated'::text, 'volume'::text])) = (tiers IS NOT NULL)))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_unit_amount_by_model CHECK (((tiers IS NULL) = (unit_amount IS NOT NULL)))
"""
    )

    op.execute(
        """
ALTER TABLE billing.price ADD CONSTRAINT ck_price_usage_known CHECK ((usage = ANY (ARRAY['sum'::text, 'max'::text, 'last'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.seller ADD CONSTRAINT ck_seller_draft_review_h_not_negative CHECK ((draft_review_h >= 0))
"""
    )

    op.execute(
        """
ALTER TABLE billing.seller ADD CONSTRAINT ck_seller_oss_known CHECK ((oss = ANY (ARRAY['none'::text, 'union'::text, 'non_union'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.seller ADD CONSTRAINT ck_seller_proration_known CHECK ((proration = ANY (ARRAY['second'::text, 'day'::text])))
"""
    )

    op.execute(
        """
ALTER TABLE billing.subscription ADD CONSTRAINT ck_subscription_coupon_used_not_negative CHECK ((coupon_used >= 0))
"""
    )

    op.execute(
        """
ALTER TABLE billing.subscription ADD CONSTRAINT ck_subscription_incomplete_expires CHECK ((((status = 'incomplete'::text) = (expires_at IS NOT NULL)) OR (status = 'incomplete_expired'::text)))
"""
    )

    op.execute(
        """
ALTER TABLE billing.subscription ADD CONSTRAINT ck_subscription_paused_since CHECK (CASE status WHEN 'paused' THEN paused_at IS NOT NULL WHEN 'canceled' THEN TRUE ELSE paused_at IS NULL END)
"""
    )

    op.execute(
        """
ALTER TABLE billing.coupon ADD CONSTRAINT fk_coupon_seller_id FOREIGN KEY (seller_id) REFERENCES billing.seller(id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.credit_balance ADD CONSTRAINT fk_credit_balance_profile_id FOREIGN KEY (profile_id, seller_id) REFERENCES billing.profile(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.external_payment ADD CONSTRAINT fk_external_payment_invoice_id FOREIGN KEY (invoice_id, seller_id) REFERENCES billing.invoice(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.external_payment ADD CONSTRAINT fk_external_payment_profile_id FOREIGN KEY (profile_id, seller_id) REFERENCES billing.profile(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.invoice ADD CONSTRAINT fk_invoice_corrects_id FOREIGN KEY (corrects_id, seller_id) REFERENCES billing.invoice(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.refund ADD CONSTRAINT fk_refund_credit_note_id FOREIGN KEY (credit_note_id, seller_id) REFERENCES billing.invoice(id, seller_id) DEFERRABLE INITIALLY DEFERRED
"""
    )

    op.execute(
        """
ALTER TABLE billing.refund ADD CONSTRAINT fk_refund_invoice_id FOREIGN KEY (invoice_id, seller_id) REFERENCES billing.invoice(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.refund ADD CONSTRAINT fk_refund_payment_id FOREIGN KEY (payment_id, seller_id) REFERENCES billing.payment(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.refund ADD CONSTRAINT fk_refund_profile_id FOREIGN KEY (profile_id, seller_id) REFERENCES billing.profile(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.refund ADD CONSTRAINT fk_refund_provider_account_id FOREIGN KEY (provider_account_id) REFERENCES billing.provider_account(id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.subscription ADD CONSTRAINT fk_subscription_coupon_id FOREIGN KEY (coupon_id, seller_id) REFERENCES billing.coupon(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.subscription_pause ADD CONSTRAINT fk_subscription_pause_subscription_id FOREIGN KEY (subscription_id, seller_id) REFERENCES billing.subscription(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.usage_record ADD CONSTRAINT fk_usage_record_price_id FOREIGN KEY (price_id, seller_id) REFERENCES billing.price(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.usage_record ADD CONSTRAINT fk_usage_record_subscription_id FOREIGN KEY (subscription_id, seller_id) REFERENCES billing.subscription(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.waiting_line ADD CONSTRAINT fk_waiting_line_price_id FOREIGN KEY (price_id, seller_id) REFERENCES billing.price(id, seller_id)
"""
    )

    op.execute(
        """
ALTER TABLE billing.waiting_line ADD CONSTRAINT fk_waiting_line_subscription_id FOREIGN KEY (subscription_id, seller_id) REFERENCES billing.subscription(id, seller_id)
"""
    )

    op.execute(
        """
CREATE INDEX ix_external_payment_invoice_id ON billing.external_payment USING btree (invoice_id)
"""
    )

    op.execute(
        """
CREATE INDEX ix_invoice_corrects_id ON billing.invoice USING btree (corrects_id) WHERE (corrects_id IS NOT NULL)
"""
    )

    op.execute(
        """
CREATE INDEX ix_invoice_line_credits ON billing.invoice_line USING btree (credits_line_id) WHERE (credits_line_id IS NOT NULL)
"""
    )

    op.execute(
        """
CREATE INDEX ix_invoice_review ON billing.invoice USING btree (review_until) WHERE (status = 'draft'::text)
"""
    )

    op.execute("CREATE INDEX ix_refund_invoice_id ON billing.refund USING btree (invoice_id)")
    op.execute(
        """
CREATE INDEX ix_refund_open_check ON billing.refund USING btree (next_check_at) WHERE (status = ANY (ARRAY['pending'::text, 'requires_action'::text]))
"""
    )

    op.execute(
        """
CREATE INDEX ix_subscription_pause_subscription_id ON billing.subscription_pause USING btree (subscription_id)
"""
    )

    op.execute(
        """
CREATE INDEX ix_usage_record_counts ON billing.usage_record USING btree (subscription_id, price_id, counts_at)
"""
    )

    op.execute(
        """
CREATE INDEX ix_waiting_line_subscription_id ON billing.waiting_line USING btree (subscription_id, id)
"""
    )

    op.execute(
        """
CREATE UNIQUE INDEX uq_refund_ref ON billing.refund USING btree (provider_account_id, refund_ref)
"""
    )

    op.execute(
        """
CREATE UNIQUE INDEX uq_subscription_pause_running ON billing.subscription_pause USING btree (subscription_id) WHERE (ends_at IS NULL)
"""
    )

    op.execute(
        """
CREATE TRIGGER coupon_append_only BEFORE UPDATE OR DELETE ON billing.coupon FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )

    op.execute(
        """
CREATE TRIGGER usage_record_append_only BEFORE UPDATE OR DELETE ON billing.usage_record FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )

    op.execute(
        """
CREATE TRIGGER external_payment_append_only BEFORE UPDATE OR DELETE ON billing.external_payment FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )
