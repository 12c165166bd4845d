"""Cuts `openapi.json` and `fixtures.json` out of Stripe's published files; run by hand when the pinned SDK moves on.

    python tests/sandbox/stripe/shapes/extract.py spec3.json fixtures3.json

Where the two files come from, and their licence, stands in README.md beside this file. Kept are the objects and
requests that the engine uses: names, types, enumerations, what is required. Descriptions go, and every reference to a
schema that the stand-in never shows becomes "anything", so that the rest of Stripe does not come along.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

SHOWN = set(
    """account customer deleted_customer payment_method payment_method_card billing_details address setup_intent
    payment_intent payment_intent_next_action setup_intent_next_action api_errors error charge charge_outcome
    payment_method_details payment_method_details_card payment_method_card_checks payment_method_details_card_checks
    networks three_d_secure_usage payment_flows_automatic_payment_methods_payment_intent
    payment_flows_automatic_payment_methods_setup_intent refund refund_destination_details
    refund_destination_details_card dispute dispute_evidence_details dispute_evidence dispute_payment_method_details
    dispute_payment_method_details_card balance_transaction fee event notification_event_data
    notification_event_request webhook_endpoint deleted_webhook_endpoint invoice_setting_customer_setting
    payment_method_details_card_network_token charge_fraud_details""".split()
)
REQUESTS = """account customers customers/{} customers/{}/payment_methods customers/{}/payment_methods/{}
    payment_methods payment_methods/{} payment_methods/{}/attach payment_methods/{}/detach setup_intents
    setup_intents/{} setup_intents/{}/confirm setup_intents/{}/cancel payment_intents payment_intents/search
    payment_intents/{} payment_intents/{}/confirm payment_intents/{}/capture payment_intents/{}/cancel charges
    charges/{} refunds refunds/{} refunds/{}/cancel disputes disputes/{} disputes/{}/close balance_transactions
    balance_transactions/{} events events/{} webhook_endpoints webhook_endpoints/{} radar/early_fraud_warnings
    radar/early_fraud_warnings/{}""".split()
FIXTURES = """account customer payment_method setup_intent payment_intent charge refund dispute balance_transaction
    event webhook_endpoint""".split()


def slim(schema: Any) -> Any:
    """One schema as JSON Schema: nullable spelt out, unknown names forbidden, prose and unused references gone."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return {"$ref": f"#/components/schemas/{name}"} if name in SHOWN else {}
    kept: dict[str, Any] = {name: schema[name] for name in ("type", "enum", "required", "maxLength") if name in schema}
    if "properties" in schema:
        kept["properties"] = {name: slim(inner) for name, inner in schema["properties"].items()}
        kept["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = slim(schema["additionalProperties"])
    if "items" in schema:
        kept["items"] = slim(schema["items"])
    if "anyOf" in schema:
        choices = [slim(each) for each in schema["anyOf"]]
        kept["anyOf"] = [{}] if {} in choices else choices
    return {"anyOf": [{"type": "null"}, kept]} if schema.get("nullable") else kept


def parameters(method: str, operation: Any) -> Any:
    """What a request takes: each name with the names inside it, and which must be given."""
    if method == "post":
        form = operation["requestBody"]["content"].get("application/x-www-form-urlencoded", {}).get("schema", {})
        return {"names": names(form), "required": form.get("required", [])}
    asked = [each for each in operation["parameters"] if each["in"] == "query"]
    return {
        "names": {each["name"]: names(each["schema"]) for each in asked},
        "required": [each["name"] for each in asked if each.get("required")],
    }


def names(schema: Any) -> Any:
    for each in (schema, *schema.get("anyOf", [])):
        if "properties" in each:
            return {name: names(inner) for name, inner in each["properties"].items()}
    return {}


def main(spec_path: str, fixtures_path: str) -> None:
    spec = json.loads(Path(spec_path).read_text())
    schemas = {name: slim(spec["components"]["schemas"][name]) for name in sorted(SHOWN)}
    requests = {}
    for path, operations in spec["paths"].items():
        plain = "/".join("{}" if part.startswith("{") else part for part in path.removeprefix("/v1/").split("/"))
        if plain in REQUESTS:
            for method in sorted({"get", "post", "delete"} & set(operations)):
                requests[f"{method.upper()} {plain}"] = parameters(method, operations[method])
    write(
        "openapi.json", {"version": spec["info"]["version"], "components": {"schemas": schemas}, "requests": requests}
    )
    fixtures = json.loads(Path(fixtures_path).read_text())["resources"]
    write("fixtures.json", {name: bare(fixtures[name]) for name in FIXTURES})


def bare(value: Any) -> Any:
    """A fixture's names and kinds of value; the values themselves (made-up people among them) stay behind."""
    if isinstance(value, dict):
        return {name: bare(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [bare(each) for each in value[:1]]
    return type(value).__name__


def write(name: str, value: Any) -> None:
    (HERE / name).write_text(json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
