from __future__ import annotations

import base64

from billing.delivery.signature import new_secret, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_specifications_own_libraries() -> None:
    headers = signed_headers(
        secrets=[SECRET], id_="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_signs_and_a_space_parts_them() -> None:
    other = new_secret()
    headers = signed_headers(secrets=[other, SECRET], id_="a", timestamp=1, body=b"{}")
    first, second = headers["webhook-signature"].split(" ")
    assert first != second
    assert second == signed_headers(secrets=[SECRET], id_="a", timestamp=1, body=b"{}")["webhook-signature"]


def test_a_secret_is_long_enough_and_no_two_are_alike() -> None:
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    assert all(24 <= len(base64.b64decode(each.removeprefix("whsec_"))) <= 64 for each in made)
