"""Credentials of each kind, put together here, so that none stands in the code."""

from __future__ import annotations

from base64 import b64encode

LONG = "a1B2" * 6
LINK = "AQM" + (LONG * 3)[:59]
HEADER = b64encode(f"billing-1:{LONG}".encode()).decode()
SECRETS = [
    ("api_key", "key sk_" + "live_" + LONG, "sk_" + "live_" + LONG),
    ("api_key", "rk_" + "test_" + LONG, "rk_" + "test_" + LONG),
    ("our_api_key", f"bk_{'a1b2c3d4e5'}_{LONG + LONG[:19]}", f"bk_{'a1b2c3d4e5'}_{LONG + LONG[:19]}"),
    ("api_key", "rk_" + "live_" + LONG, "rk_" + "live_" + LONG),
    ("api_key", "sk_org_" + "live_" + LONG, "sk_org_" + "live_" + LONG),
    ("api_key", "sk_" + "test_" + LONG, "sk_" + "test_" + LONG),
    ("webhook_secret", "whsec" + "_" + LONG + ";", "whsec" + "_" + LONG),
    ("customer_link", f"https://pay.example.com/pay/{LINK}", LINK),
    ("customer_link", f"Client disconnected while serving /documents/{LINK}.pdf", LINK),
    ("customer_link", f"GET /x?return_url=https%3A%2F%2Fpay.example.com%2Fpay%2F{LINK}%3Fa", LINK),
    ("client_secret", f"seti_1abc_{'secret'}_{LONG}", f"seti_1abc_{'secret'}_{LONG}"),
    ("bearer", f"Authorization: Bearer {LONG}", LONG),
    ("basic", f"authorization: basic {HEADER}", HEADER),
    ("basic", f"cut off: Basic {HEADER[:-5]}", HEADER[:-5]),
    ("dsn_password", f"postgresql://billing:{LONG}@db/billing", LONG),
    ("dsn_password", f"redis://:{LONG}@cache:6379/0", LONG),
    ("dsn_password", f"postgresql://billing:{LONG}@x@db/billing", LONG + "@x"),
    ("dsn_password", f"redis://:{LONG}/x@cache", LONG + "/x"),
    ("password", f"host=db password={LONG} dbname=billing", LONG),
    ("password", f'{{"client_{"secret"}": "{LONG}"}}', LONG),
    ("password", f"MY_API_KEY={LONG}", LONG),
    ("password", f"https://collector.example/v1/traces?api-key={LONG}", LONG),
    ("password", f"X-Api-Key: {LONG}", LONG),
    ("password", f"postgresql://db/billing?ssl{'password'}={LONG}&sslkey=/k", LONG),
    ("password", f"PG{'PASSWORD'}={LONG} psql", LONG),
    ("private_key", f"-----BEGIN PRIVATE KEY-----\n{LONG}\n-----END PRIVATE KEY-----", f"\n{LONG}\n"),
]
"""Kind, a text with one, and what of the text must not be shown."""
