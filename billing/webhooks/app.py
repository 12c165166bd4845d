"""The web application: webhooks, and how this process (`/healthz`), its database and broker (`/readyz`) are."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect

from billing.flows.parts import Parts
from billing.webhooks.front import Front
from billing.webhooks.metrics import metrics_door
from billing.webhooks.paypal import paypal_receiver
from billing.webhooks.readiness import Readiness
from billing.webhooks.stripe import stripe_receiver


def create_app(parts: Parts) -> Flask:
    """An application over these parts. Errors never echo their input."""
    app = Flask("billing")
    readiness = Readiness(parts)
    receivers = {"stripe": stripe_receiver(parts), "paypal": paypal_receiver(parts)}
    front = Front(app.wsgi_app, receivers, most_bytes=parts.settings.billing_webhook_body_limit)
    # Of what proxies say only the visitor's address is believed, and only as many of them as stand before us.
    app.wsgi_app = ProxyFix(front, x_for=parts.settings.billing_proxies, x_proto=0)  # type: ignore[method-assign]
    app.register_blueprint(metrics_door(parts))

    @app.after_request
    def stay_here(response: Response) -> Response:
        # An address that the framework puts right (a slash too few, or twice) it makes of the Host that was sent, and
        # of the scheme between a proxy and us: who came by TLS would show a link's token, or a page, without it.
        if isinstance(request.routing_exception, RequestRedirect) and response.location:
            there = urlsplit(response.location)
            response.location = f"{there.path}?{there.query}" if there.query else there.path
            response.set_data(b"")
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checks = readiness.look()
        return jsonify(checks), 200 if all(checks.values()) else 503

    return app
