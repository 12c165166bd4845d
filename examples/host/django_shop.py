"""A shop on Django: its user and their subscription are committed together, by Django's own transaction.

eval "$(billing env)"    # on the embedded stack
python examples/host/django_shop.py runserver
"""

from __future__ import annotations

import json
import os
import sys
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

import billing


def database(url: str) -> dict[str, object]:
    """Django's words for the address of a database, where billing's tables are too."""
    parts = urlsplit(url)
    folder = dict(parse_qsl(parts.query)).get("host", "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or folder,
        "PORT": parts.port or "",
    }


def sign_up(request: HttpRequest) -> JsonResponse:
    """A user, a customer, a subscription and its invoice: all, or none."""
    said = json.loads(request.body)
    user, shop = str(uuid4()), settings.SHOP_BILLING
    person = billing.Personal(name=said["name"], email=said["email"])
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO shop_user (id, email) VALUES (%s, %s)", [user, said["email"]])
            with shop.borrow(connection.connection, on_commit=transaction.on_commit) as session:
                customer = billing.NewProfile(account_id=user, country=said["country"], personal=person)
                shop.create_profile(customer, session=session)
                item = billing.NewItem(said["plan"])
                plan = billing.NewSubscription(code=f"{user}-plan", account_id=user, items=(item,), start=shop.now())
                made = shop.subscribe(plan, session=session)
    except billing.Refused as refused:
        return JsonResponse(
            {"faults": [{"field": each.field, "mend": each.mend} for each in refused.faults]}, status=422
        )
    answer = JsonResponse({"user": user, "invoice": made.invoices[0].number}, status=201)
    answer.set_signed_cookie("user", user, httponly=True, samesite="Lax")
    return answer


def card(request: HttpRequest) -> JsonResponse:
    """Whose card it is, the signed cookie says, and never the request; the page hands the secret to the provider's form."""
    user, shop = request.get_signed_cookie("user", None), settings.SHOP_BILLING
    if user is None:
        return JsonResponse({"mend": "sign up first"}, status=401)
    agreed = billing.Consent(text_version="terms-3", given_at=shop.now(), channel="web")
    begun = shop.begin_payment_method(shop.profile_of(user), agreed)
    return JsonResponse({"client_secret": begun.client_secret}, status=201)


urlpatterns = [path("sign-up", sign_up), path("card", card)]


def configure(shop: billing.Billing | None = None) -> None:
    """Settings of a project of one file."""
    settings.configure(
        DATABASES={"default": database(os.environ["DATABASE_URL"])},
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", str(uuid4())),
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        SHOP_BILLING=shop or billing.connect(),
    )
    django.setup()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS shop_user (id text PRIMARY KEY, email text UNIQUE NOT NULL)")


if __name__ == "__main__":
    configure()
    execute_from_command_line(sys.argv)
