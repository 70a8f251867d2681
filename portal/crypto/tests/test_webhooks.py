import base64
from datetime import UTC, datetime

import pytest

from portal.crypto.webhooks import signed_headers

# The example of the Standard Webhooks libraries' own tests.
KEY = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
AT = datetime.fromtimestamp(1614265330, UTC)


def test_the_signature_is_over_id_moment_and_body() -> None:
    headers = signed_headers(KEY, id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=AT, body=b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(("key", "name"), [(b"short", "a"), (KEY, ""), (KEY, "a.b")])
def test_what_could_be_read_in_two_ways_is_not_signed(key: bytes, name: str) -> None:
    with pytest.raises(ValueError, match="signed POST"):
        signed_headers(key, id=name, at=AT, body=b"")
