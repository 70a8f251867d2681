import base64

import pytest

from portal.embedded import onetime

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at", "code"),  # RFC 6238, appendix B, the last six of eight digits
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert onetime.code(SECRET, at=at) == code


def test_case_and_missing_padding_do_not_matter() -> None:
    assert onetime.code("gezdgnbv", at=59) == onetime.code("GEZDGNBV", at=59)
    assert onetime.code("GEZDGNBVGY", at=59) == onetime.code("GEZDGNBVGY======", at=59)


def test_another_spelling_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Non-base32"):
        onetime.code("0189", at=59)
