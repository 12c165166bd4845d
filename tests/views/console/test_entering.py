"""Coming in: by password and code, by a proxy, and every way that is refused."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from billing.flows import entering, operators
from billing.kernel.errors import Refused
from billing.models import AuditRecord, LoginTry, OperatorSession
from billing.privacy.one_time_code import code_at
from billing.rules.permission import Role
from billing.views.console.entering import within
from tests.views.console.conftest import ADDED, House, served


def enter(client: FlaskClient, name: str, password: str, code: str, **more: str) -> Any:
    page = client.get("/console/enter", query_string={"next": more["next"]} if "next" in more else None).text
    found = re.search(r'name="csrf" value="([0-9a-f]*)"', page)
    assert found
    given = {"csrf": found[1], "name": name, "password": password, "code": code, **more}
    return client.post("/console/enter", data=given)


def credentials(house: House, name: str = "ada", role: Role = Role.ADMIN) -> tuple[str, bytes]:
    made = house.admit(name, role).credentials
    assert made is not None
    return made.password, made.second_factor


def test_the_form_says_what_is_asked_for(house: House) -> None:
    page = house.stranger().get("/console/enter").text
    assert ">Sign in</button>" in page
    assert "Code of your authenticator app" in page
    assert ">Sign out</button>" in house.person("ada", Role.VIEWER).reads("/")


def test_a_console_is_there_only_where_a_setting_says_how_people_enter(house: House) -> None:
    assert house.acme.parts.settings.billing_console == "off"
    closed = served(house.acme.parts, billing_console="off").test_client()
    assert closed.get("/console/").status_code == 404
    answer = house.stranger().get("/console/items?kind=task_failed")
    assert (answer.status_code, answer.headers["Location"]) == (
        303, "/console/enter?next=/console/items%3Fkind%3Dtask_failed",
    )  # fmt: skip
    quietly = house.stranger().get("/console/?poll=1", headers={"HX-Request": "true"})
    assert (quietly.status_code, quietly.headers["HX-Redirect"][:14]) == (204, "/console/enter")


def test_an_address_that_is_put_right_leads_nowhere_else_and_to_no_other_scheme(house: House) -> None:
    behind_tls = {"X-Forwarded-Proto": "https", "Host": "elsewhere.example"}
    for asked, right in (("/console", "/console/"), ("/console//enter?next=/x", "/console/enter?next=/x")):
        answer = house.stranger().get(asked, headers=behind_tls)
        assert (answer.status_code, answer.headers["Location"], answer.text) == (308, right, "")


def test_one_comes_in_by_password_and_code_each_session_new_and_leaves_again(house: House) -> None:
    password, secret = credentials(house)
    client = house.stranger()
    client.set_cookie("console", "planted-by-somebody-else")
    answer = enter(client, "Ada ", password, code_at(secret, time.time()), next="/console/items?kind=task_failed")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/items?kind=task_failed")
    cookie = client.get_cookie("console")
    assert cookie is not None
    assert cookie.value != "planted-by-somebody-else"
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert "ada" in client.get("/console/").text
    # To leave takes a form of the console's own.
    assert client.post("/console/leave").status_code == 403
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/console/").text)
    assert found
    client.post("/console/leave", data={"csrf": found[1]})
    client.set_cookie("console", cookie.value)
    assert client.get("/console/").status_code == 303
    with house.acme.begin() as session:
        (row,) = session.query(OperatorSession).all()
        assert row.ended_at is not None
        assert cookie.value.encode() not in row.token_hash
        assert [each.action for each in session.query(AuditRecord).filter_by(actor="ada")] == ["console.enter"]


def test_a_code_is_good_once_and_one_answer_is_given_to_all_that_is_wrong(house: House) -> None:
    password, secret = credentials(house)
    operators.add(house.acme.parts, name="bob", role=Role.VIEWER, with_password=False, order=ADDED)
    code = code_at(secret, time.time())
    assert enter(house.stranger(), "ada", password, code).status_code == 303
    old = code_at(secret, time.time() - 120)
    told = set()
    for name, word, digits in (("ada", password, code), ("ada", password, old), ("nobody", password, "000000"),
                               ("bob", "x" * 500, "1")):  # fmt: skip
        answer = enter(house.stranger(), name, word, digits)
        assert answer.status_code == 403
        told.add(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(told) == 1
    with house.acme.begin() as session:
        tries = session.query(LoginTry).order_by(LoginTry.id).all()
        assert [each.succeeded for each in tries] == [True, False, False, False, False]
        assert b"ada" not in b"".join(each.name_index for each in tries)


def test_who_guesses_is_slowed_down_and_nobody_elsewhere_with_him(house: House) -> None:
    password, secret = credentials(house)
    client = house.stranger()
    for _ in range(entering.MOST_TOGETHER):
        assert enter(client, "ada", "wrong", "000000").status_code == 403
    answer = enter(client, "ada", password, code_at(secret, time.time()))
    assert (answer.status_code, "Too many tries" in answer.text) == (429, True)
    elsewhere = entering.enter(
        house.acme.parts, entering.Given("ada", password, code_at(secret, time.time())), network="192.0.2.9"
    )
    assert entering.entered(house.acme.parts, elsewhere, active=True)
    with house.acme.parts.begin() as session:
        assert session.execute(text("SELECT count(*) FROM billing.login_try WHERE succeeded")).scalar_one() == 1


def guess(house: House, name: str, network: str, times: int) -> list[str]:
    """What wrong guesses are told."""
    told = []
    for _ in range(times):
        with pytest.raises(Refused) as refused:
            entering.enter(house.acme.parts, entering.Given(name, "wrong", "000000"), network=network)
        told.append(refused.value.code)
    return told


@pytest.mark.parametrize("others", [(), ("bob", "cyd", "dan", "eve")], ids=["of-the-name-there", "of-the-network"])
def test_one_network_cannot_use_up_the_tries_of_a_name(house: House, others: tuple[str, ...]) -> None:
    password, secret = credentials(house)
    told = [code for name in others for code in guess(house, name, "192.0.2.1", entering.MOST_TOGETHER)]
    assert set(told) <= {"login_wrong"}
    told += guess(house, "ada", "192.0.2.1", entering.MOST_OF_A_NAME + 10)
    assert told.count("login_wrong") == (entering.MOST_OF_A_NETWORK if others else entering.MOST_TOGETHER)
    with house.acme.begin() as session:
        tries = session.query(LoginTry).filter_by(network="192.0.2.1").all()
    assert len(tries) == len(told), "refused ones go on counting for their network"
    assert sum(bool(each.name_index) for each in tries) == told.count("login_wrong")
    given = entering.Given("ada", password, code_at(secret, time.time()))
    assert entering.enter(house.acme.parts, given, network="192.0.2.9")


def test_guesses_from_many_networks_use_up_the_tries_of_a_name(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "MOST_OF_A_NAME", 2 * entering.MOST_TOGETHER)
    for network in ("192.0.2.1", "192.0.2.2"):
        assert set(guess(house, "ada", network, entering.MOST_TOGETHER)) == {"login_wrong"}
    assert guess(house, "ada", "192.0.2.3", 2) == ["too_many_logins"] * 2
    assert guess(house, "bob", "192.0.2.3", 1) == ["login_wrong"]


@pytest.mark.parametrize(
    ("column", "ago"), [("seen_at", "31 minutes"), ("created_at", "13 hours")], ids=["idle", "old"]
)
def test_a_session_ends_by_itself(house: House, column: str, ago: str) -> None:
    ada = house.person("ada", Role.VIEWER)
    assert ada.get("/").status_code == 200
    with house.acme.parts.begin() as session:
        session.execute(text(f"UPDATE billing.operator_session SET {column} = {column} - interval '{ago}'"))
    assert ada.get("/").status_code == 303


def test_a_page_that_looks_again_by_itself_keeps_nobody_in(house: House) -> None:
    ada = house.person("ada", Role.VIEWER)
    minutes = text("UPDATE billing.operator_session SET seen_at = seen_at - interval '20 minutes' RETURNING seen_at")
    with house.acme.parts.begin() as session:
        before = session.execute(minutes).scalar_one()
    assert ada.get("/?poll=1").status_code == 200
    with house.acme.begin() as session:
        assert session.query(OperatorSession).one().seen_at == before
    ada.get("/")
    with house.acme.begin() as session:
        assert session.query(OperatorSession).one().seen_at > before


def test_another_role_a_reset_and_a_switch_off_end_sessions_at_once(house: House) -> None:
    parts = house.acme.parts
    for change in (
        lambda: operators.set_role(parts, name="ada", role=Role.FINANCE, order=ADDED),
        lambda: operators.reset(parts, name="ada", order=ADDED),
        lambda: operators.switch(parts, name="ada", on=False, order=ADDED),
    ):
        ada = house.person("ada", Role.VIEWER)
        assert ada.get("/").status_code == 200
        change()
        assert ada.get("/").status_code == 303
    assert house.person("ada", Role.VIEWER).get("/").status_code == 303


def test_a_login_form_of_another_site_is_not_taken(house: House) -> None:
    password, secret = credentials(house)
    given = {"name": "ada", "password": password, "code": code_at(secret, time.time())}
    client = house.stranger()
    assert client.post("/console/enter", data=given | {"csrf": ""}).status_code == 403
    page = client.get("/console/enter").text
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/console/enter", data=given | {"csrf": found[1]}, headers=foreign).status_code == 403


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/console//evil.example",
        "/console/\\evil",
        "/pay/x",
        "/console/\nX",
        "",
    ],
)
def test_nobody_is_led_elsewhere_after_coming_in(address: str) -> None:
    assert within(address) == "/console/"


def test_a_proxy_is_believed_by_its_own_address_only(house: House) -> None:
    house.person("ada", Role.FINANCE)
    behind = {"billing_console": "proxy", "billing_console_proxies": "10.0.0.5/32,::1/128", "billing_proxies": 1}
    client = served(house.acme.parts, **behind).test_client()

    def ask(peer: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get("/console/", environ_base={"REMOTE_ADDR": peer}, headers=named, follow_redirects=False)

    answer = ask("10.0.0.5", X_Forwarded_User="Ada", X_Forwarded_For="198.51.100.7")
    assert (answer.status_code, "finance" in answer.text) == (200, True)
    # Whoever is not the proxy is not believed, though a session is there and the visitor claims the proxy's address.
    for headers in ({"X_Forwarded_User": "ada"}, {"X_Forwarded_User": "ada", "X_Forwarded_For": "10.0.0.5"}):
        assert ask("198.51.100.7", **headers).status_code == 303
    assert ask("10.0.0.5").status_code == 303
    assert ask("10.0.0.5", X_Forwarded_User="ada, root").status_code == 303
    assert ask("10.0.0.5", X_Forwarded_User="stranger").status_code == 403
    assert "names nobody" in client.get("/console/enter").text
    assert client.post("/console/enter", data={"name": "ada"}).status_code == 403


def test_old_tries_and_sessions_are_forgotten(house: House) -> None:
    ada = house.person("ada", Role.VIEWER)
    enter(house.stranger(), "ada", "wrong", "000000")
    assert entering.purge(house.acme.parts) == 0
    with house.acme.parts.begin() as session:
        for table in ("login_try", "operator_session"):
            session.execute(
                text(f"UPDATE billing.{table} SET id = CAST('00000000' || substr(CAST(id AS text), 9) AS uuid)")
            )
    assert entering.purge(house.acme.parts) == 2
    assert ada.get("/").status_code == 303


def test_an_order_after_the_session_is_over_says_that_nothing_was_done(house: House) -> None:
    nobody = house.stranger()
    sent = nobody.post("/console/brakes", data={"what": "collect.stop", "seller": "*", "reason": "x"})
    assert sent.status_code == 303
    told = nobody.get(sent.headers["Location"])
    assert (told.status_code, "Nothing was done: you are signed out." in told.text) == (200, True)
    # Who only looks, or signs out twice, is asked in without a word.
    assert nobody.post("/console/leave").headers["Location"] == "/console/enter?next=/console/"
    assert "Nothing was done" not in nobody.get(nobody.get("/console/brakes").headers["Location"]).text
