"""Items that went are kept, so that what was used is held against what there was to charge it to."""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE billing.past_item (
    id UUID NOT NULL,
    seller_id UUID NOT NULL,
    subscription_id UUID NOT NULL,
    price_id UUID NOT NULL,
    quantity INTEGER,
    counts_from TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_past_item PRIMARY KEY (id, seller_id),
    CONSTRAINT fk_past_item_subscription_id FOREIGN KEY (subscription_id, seller_id)
        REFERENCES billing.subscription (id, seller_id),
    CONSTRAINT fk_past_item_price_id FOREIGN KEY (price_id, seller_id) REFERENCES billing.price (id, seller_id),
    CONSTRAINT ck_past_item_order CHECK (counts_from <= ended_at)
)
"""
    )
    op.execute("CREATE INDEX ix_past_item_subscription_id ON billing.past_item (subscription_id, price_id)")
    op.execute(
        """
CREATE TRIGGER past_item_append_only BEFORE UPDATE OR DELETE ON billing.past_item
FOR EACH ROW EXECUTE FUNCTION billing.refuse_change()
"""
    )
    op.execute("ALTER TABLE billing.past_item ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY one_seller ON billing.past_item "
        "USING (seller_id = (SELECT NULLIF(current_setting('billing.seller', true), '')::uuid))"
    )
