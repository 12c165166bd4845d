"""A shop on Flask and SQLAlchemy: signing up makes a user and a subscription in one transaction, then a card pays it.

eval "$(billing env)"    # on the embedded stack
flask --app examples/host/flask_shop.py run
"""

from __future__ import annotations

import os
from secrets import token_bytes
from uuid import uuid4

from flask import Flask, Response, jsonify, request
from flask import session as visitor
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import billing


class Base(DeclarativeBase):
    """The shop's own tables, beside the schema `billing`."""


class User(Base):
    """Who signed up."""

    __tablename__ = "shop_user"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


def create_app(engine_of_billing: billing.Billing | None = None) -> Flask:
    """The shop, on the database of DATABASE_URL, where billing's tables are too."""
    app = Flask(__name__)
    app.secret_key = os.environ.get("SHOP_SECRET_KEY") or token_bytes(32)
    shop = engine_of_billing or billing.connect()
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    Base.metadata.create_all(engine)

    @app.post("/sign-up")
    def sign_up() -> tuple[Response, int]:
        said = request.get_json()
        user = str(uuid4())
        person = billing.Personal(name=said["name"], email=said["email"])
        try:
            with Session(engine) as session, session.begin():
                session.add(User(id=user, email=said["email"]))
                shop.create_profile(
                    billing.NewProfile(account_id=user, country=said["country"], personal=person), session=session
                )
                plan = billing.NewSubscription(
                    code=f"{user}-plan",
                    account_id=user,
                    items=(billing.NewItem(said["plan"]),),
                    start=shop.now(),
                )
                made = shop.subscribe(plan, session=session)
        except billing.Refused as refused:
            # Nothing was written: no user either.
            return jsonify(faults=[{"field": each.field, "mend": each.mend} for each in refused.faults]), 422
        visitor["user"] = user
        return jsonify(user=user, invoice=made.invoices[0].number), 201

    @app.post("/card")
    def card() -> tuple[Response, int]:
        # Whose card it is, the visitor's session says, and never the request; the page hands the secret to the
        # provider's own form.
        user = visitor.get("user")
        if user is None:
            return jsonify(mend="sign up first"), 401
        agreed = billing.Consent(text_version="terms-3", given_at=shop.now(), channel="web")
        begun = shop.begin_payment_method(shop.profile_of(user), agreed)
        return jsonify(client_secret=begun.client_secret), 201

    return app
