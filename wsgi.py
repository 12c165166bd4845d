"""The WSGI application: webhooks, health, the customer's page, console, HTTP API. docs/run.md says how it is served."""

from __future__ import annotations

from billing.kernel import garbage

with garbage.loading():
    from billing.api.door import api
    from billing.flows.start import start
    from billing.ops.failures import in_a_sentence
    from billing.sandbox.environment import adopt
    from billing.settings import load
    from billing.views.console.door import console
    from billing.views.customer import customer_page
    from billing.views.documents import documents_door
    from billing.webhooks.app import create_app
    from billing.wiring import build, observe

with in_a_sentence():
    adopt()
    settings = load()
    observe(settings, service="web")
    parts = build(settings, in_background=True)
    start(parts)
app = create_app(parts)
app.register_blueprint(customer_page(parts))
app.register_blueprint(documents_door(parts))
app.register_blueprint(api(parts))
operators = console(parts)
if operators is not None:
    app.register_blueprint(operators)
