"""What people did: every decision by hand has its line in the audit trail, who and why, which nobody can change.

Items are found by `ix_work_item_status`, their lines by `ix_audit_trail_subject_id`.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds
from billing.queries.audit.seals import resealed
from billing.queries.audit.triggers import append_only

_NOT_WRITTEN_DOWN = """
SELECT 'work_item', w.id, format('is %s, and nobody wrote down who did that', w.status)
FROM billing.work_item w
WHERE w.status IN ('parked', 'discarded')
  AND NOT EXISTS (SELECT FROM billing.audit_trail a
                  WHERE a.subject_id = w.id
                    AND a.action = CASE w.status WHEN 'parked' THEN 'work.park' ELSE 'work.discard' END)
"""

WRITTEN_DOWN = Invariant(
    code="J7",
    meaning="Every item that a person parked or discarded has its line in the audit trail.",
    counted="SELECT count(*) FROM billing.work_item WHERE status IN ('parked', 'discarded')",
    checks=(finds(_NOT_WRITTEN_DOWN),),
)

TRAIL_KEPT = Invariant(
    code="S4",
    meaning="No line of the audit trail was changed or deleted.",
    counted="SELECT count(*) FROM billing.audit_trail",
    checks=(append_only("audit_trail"), resealed("audit_trail")),
)
