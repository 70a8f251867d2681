import json
from pathlib import Path

import pytest

from portal.embedded import welcome

STAFF = [
    {"username": "sam", "password": "one", "totp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "role": "support"},
    {"username": "olga", "password": "two", "totp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "role": "operator"},
]


def test_an_operators_sign_in_is_shown_with_the_code_of_the_moment(tmp_path: Path) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(json.dumps({"staff": STAFF}))
    lines = welcome.sign_in(demo, at=59)
    assert [line.split()[-1] for line in lines[:2]] == ["olga", "two"]
    assert "287082" in lines[2]
    assert str(demo) in lines[3]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"staff": []}', '{"staff": [{"role": "operator"}]}'])
def test_a_file_that_says_nothing_gives_no_lines(tmp_path: Path, text: str) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(text)
    assert welcome.sign_in(demo, at=59) == []
    assert welcome.sign_in(tmp_path / "none", at=59) == []


def test_production_is_greeted_with_the_address_alone() -> None:
    assert welcome.lines("https://portal.bank.example", None) == [
        "The portal is ready at https://portal.bank.example"
    ]
