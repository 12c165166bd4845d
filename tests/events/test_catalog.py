"""The catalog that is published is the one that is kept: a schema a topic, and a row of docs/events.md."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from billing.events.catalog import body, schema, versions
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from tests.events.told import check_told

DOCUMENT = Path(__file__).parents[2] / "docs" / "events.md"
ROW = re.compile(r"^\| `(?P<topic>[a-z_.]+)` \| (?P<object>\w+) \| .+ \| (?P<fields>.+) \|$", re.MULTILINE)


@pytest.mark.parametrize("topic", Topic)
def test_each_topic_has_a_valid_schema_of_its_own_name_and_version(topic: Topic) -> None:
    read = schema(topic)
    Draft202012Validator.check_schema(read)
    assert read["$id"] == f"urn:billing:event:{topic}:v{versions()[topic]}"
    assert read["properties"]["type"] == {"const": topic}
    assert read["properties"]["version"] == {"const": versions()[topic]}


def test_no_schema_is_of_a_topic_that_is_not_there() -> None:
    assert set(versions()) == set(Topic)


def test_the_document_lists_each_topic_with_the_fields_of_its_schema() -> None:
    told = {row["topic"]: (row["object"], row["fields"]) for row in ROW.finditer(DOCUMENT.read_text())}
    kept = {}
    for topic in Topic:
        properties = schema(topic)["properties"]
        required = properties["data"].get("required", [])
        fields = [f"`{name}`" + ("" if name in required else "?") for name in properties["data"]["properties"]]
        kept[str(topic)] = properties["object"]["properties"]["type"]["const"], ", ".join(fields) or "—"
    assert told == kept


def test_a_field_that_no_schema_knows_or_that_is_absent_is_found() -> None:
    given = {"topic": "credit.granted", "object_type": "profile", "object_id": new_id()}
    known = {"profile_id": str(new_id()), "amount_minor": 5, "currency": "eur"}
    said = {"id_": new_id(), "seller_id": new_id(), "occurred_at": datetime(2026, 1, 31, tzinfo=UTC), **given}
    check_told(body(payload=known, **said))
    for wrong in (known | {"email": "a@example.com"}, known | {"amount_minor": "5"}, {"currency": "eur"}):
        with pytest.raises(ValidationError):
            check_told(body(payload=wrong, **said))


def test_each_topic_of_the_catalog_is_told_somewhere() -> None:
    package = Path(__file__).parents[2] / "billing"
    telling = "\n".join(path.read_text() for room in ("commands", "flows") for path in (package / room).rglob("*.py"))
    assert [topic for topic in Topic if f"Topic.{topic.name}" not in telling] == []
