"""Headers of every answer of the pages: nothing is stored, nothing leaks, only the provider's script may join in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

_STRIPE = {
    # docs.stripe.com/security/guide#content-security-policy
    "script-src": "https://js.stripe.com https://*.js.stripe.com",
    "frame-src": "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
    "connect-src": "https://api.stripe.com",
    "img-src": "https://*.stripe.com",
}


def page_headers(script_url: str) -> Mapping[str, str]:
    """For an answer that a link opened. `script_url` is the provider's script."""
    return {
        "Content-Security-Policy": content_policy(script_url),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


def content_policy(script_url: str) -> str:
    """Ours and the provider's, by name; nothing inline, no form that leads elsewhere, in nobody's frame."""
    theirs = _sources(script_url)
    rules = {
        "default-src": "'none'",
        "script-src": f"'self' {theirs['script-src']}",
        "style-src": "'self'",
        "img-src": f"'self' data: {theirs['img-src']}",
        "connect-src": f"'self' {theirs['connect-src']}",
        "frame-src": theirs["frame-src"],
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def _sources(script_url: str) -> Mapping[str, str]:
    parts = urlsplit(script_url)
    if parts.hostname == "js.stripe.com":
        return _STRIPE
    return dict.fromkeys(_STRIPE, f"{parts.scheme}://{parts.netloc}")
