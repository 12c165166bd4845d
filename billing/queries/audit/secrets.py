"""Secrets: no card number and no credential stands in the clear, in any text column, waiting message or log.

One question reads each table once, in the order in which it lies on disk; a regular expression in the database leaves
few rows to the detectors. Bytes are ciphertext and are not searched, nor columns that can only hold words of a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from billing.privacy.scan import Hit, find_card_numbers, find_credentials
from billing.queries.audit.invariant import Check, Finding, Invariant, Reading
from billing.queries.audit.recent import TABLES

_COLUMNS = """
WITH listed AS MATERIALIZED (
    SELECT conrelid, conkey[1] AS attnum FROM pg_constraint
    WHERE connamespace = 'billing'::regnamespace AND contype = 'c' AND cardinality(conkey) = 1
      AND pg_get_constraintdef(oid) LIKE '%= ANY (ARRAY[%'
)
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) FILTER (
           WHERE l.attnum IS NULL AND a.atttypid = ANY ('{text, varchar, jsonb, json, text[]}'::regtype[])) AS texts,
       bool_or(a.attname = 'id') AS has_id
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN listed l ON l.conrelid = c.oid AND l.attnum = a.attnum
WHERE c.relnamespace = 'billing'::regnamespace AND c.relkind IN ('r', 'p')
GROUP BY c.relname
ORDER BY c.relname
"""

# POSIX, without case: whatever a detector could find must pass here.
_MAY_BE_CARD = r"[0-9]{12}|[0-9]{4}[ -][0-9]{4,6}[ -][0-9]{4}|cvc|cvv|%b[0-9]"
_MAY_BE_CREDENTIAL = (
    r"_live_|_test_|whsec_|bk_[0-9a-z]{10}_|(bearer|basic)\s+[[:alnum:]._~+/=-]*[0-9._~+/=-]|://[^[:space:]]*@|passw|pwd|secret|api[_-]?key"
    r"|access_token|-----begin|(\m|%2f)aq[e-p][0-9a-z_-]{59}"
)

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_RECKONED = re.compile(r'"(?:[a-z_]+_minor|(?:[a-z]+_)?(?:numerator|denominator)|left|whole)":\s?-?[0-9]+')
"""Amounts, and what a line's account has reckoned: whole numbers by the names that we give them."""
_IDS_AND_HASHES = re.compile(r"_(?:hash|ref)$|^(?:key|digest|record_id)$")
"""Also a usage record's id, which is the host's own."""


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    id: str
    columns: tuple[str, ...]


def _tables(reading: Reading, leave_out: re.Pattern[str] | None) -> list[_Table]:
    found = []
    for row in reading.once(_COLUMNS):
        if reading.since is not None and row.name not in TABLES:
            continue
        columns = tuple(each for each in row.texts or () if leave_out is None or not leave_out.search(each))
        if columns:
            found.append(_Table(row.name, "id" if row.has_id else "ctid", columns))
    return found


def _search(find: Callable[[str], list[Hit]], *, prefilter: str, leave_out: re.Pattern[str] | None) -> Check:
    def check(reading: Reading) -> Iterator[Finding]:
        tables = {each.name: each for each in _tables(reading, leave_out)}
        for row in reading.read(" UNION ALL ".join(map(_candidates, tables.values())), prefilter=prefilter):
            yield from _in_row(tables[row.name], row.id, row.texts, find)
        for each in reading.texts():
            for hit in find(_without_ours(each.text)):
                yield Finding("text", each.source, hit.kind)

    return check


def _candidates(table: _Table) -> str:
    texts = [f'"{name}"::text' for name in table.columns]
    return (
        f"SELECT '{table.name}' AS name, {table.id}::text AS id, ARRAY[{', '.join(texts)}] AS texts "  # noqa: S608 (the
        f'FROM billing."{table.name}" '  # catalog's names)
        f"WHERE concat_ws(' ', {', '.join(texts)}) ~* :prefilter"
    )


def _in_row(
    table: _Table, id_: str, texts: Sequence[str | None], find: Callable[[str], list[Hit]]
) -> Iterator[Finding]:
    for column, value in zip(table.columns, texts, strict=True):
        for hit in find(_without_ours(value or "")):
            yield Finding(table.name, id_, f"{column}: {hit.kind}")


def _without_ours(text: str) -> str:
    """An id, or a large number of our own reckoning, may happen to look like a number on a card."""
    return _UUID.sub("id", _RECKONED.sub("number", text))


_TEXT_COLUMNS = """
SELECT count(*) FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'billing'::regnamespace AND c.relkind IN ('r', 'p')
  AND a.atttypid = ANY ('{text, varchar, jsonb, json, text[]}'::regtype[])
"""

SECRETS = (
    Invariant(
        code="S1",
        meaning="No card number or security code stands in the clear, in the tables, waiting messages or logs.",
        counted=_TEXT_COLUMNS,
        checks=(_search(find_card_numbers, prefilter=_MAY_BE_CARD, leave_out=_IDS_AND_HASHES),),
    ),
    Invariant(
        code="S2",
        meaning="No key, token or password stands in the clear, in the tables, waiting messages or logs.",
        counted=_TEXT_COLUMNS,
        checks=(_search(find_credentials, prefilter=_MAY_BE_CREDENTIAL, leave_out=re.compile("_hash$")),),
    ),
)
