"""Items that went are kept, so that what was used is held against what there was to charge it to.

Usage of one that went twice within a period waits to be told since the item came back, not since the period began.
"""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

COUNTS_SINCE_IT_CAME_BACK = """
UPDATE billing.waiting_line w SET counts_from = earlier.ended_at
FROM (SELECT w.id, told.ended_at
      FROM billing.waiting_line w
      CROSS JOIN LATERAL (
          SELECT max(period_end) AS ended_at FROM (
              SELECT o.period_end FROM billing.waiting_line o
              WHERE o.subscription_id = w.subscription_id AND o.kind = 'usage' AND o.price_id = w.price_id
                AND o.period_start = w.period_start
              UNION ALL
              SELECT l.period_end FROM billing.invoice i JOIN billing.invoice_line l ON l.invoice_id = i.id
              WHERE i.subscription_id = w.subscription_id AND i.status NOT IN ('void', 'expired', 'replaced')
                AND l.kind = 'usage' AND l.price_id = w.price_id AND l.period_start = w.period_start) same
          WHERE period_end < w.period_end) told
      WHERE w.kind = 'usage') earlier
WHERE earlier.id = w.id AND w.counts_from < earlier.ended_at
"""
"""The exact moment is not known any more; while the item was away its usage was refused."""


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
    op.execute(COUNTS_SINCE_IT_CAME_BACK)
