"""Settings from the environment: safe by default, and each mistake has its id."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from portal.demo_secrets import demo_secrets, new_secret
from portal.env import Environment, read_database_url

PRODUCTION = {
    "PORTAL_MODE": "production",
    "PORTAL_ALLOWED_HOSTS": "portal.bank.example",
    "PORTAL_BASE_URL": "https://portal.bank.example",
}


def check(environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Start the web server's module with nothing but this environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return subprocess.run(
        [sys.executable, "-c", "import portal.wsgi"],
        env={**clean, "DJANGO_SETTINGS_MODULE": "portal.settings", "PORTAL_VAR": str(tmp_path), **environment},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )


def secrets() -> dict[str, str]:
    return {name: new_secret(name) for name in settings.SECRET_NAMES}


def test_production_names_every_missing_secret_in_one_line_each(tmp_path: Path) -> None:
    run = check({"PORTAL_MODE": "production"}, tmp_path)
    assert run.returncode == 1
    ids = [line.split(":")[0] for line in run.stderr.splitlines()]
    assert ids == [f"portal.E0{number}" for number in (11, 12, 13, 14, 15, 24, 25, 44, 45, 17, 18, 35)]
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "demo-secrets.json").exists()


def test_production_starts_with_everything_set(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    run = check({**PRODUCTION, **secrets()}, tmp_path)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "id"),
    [
        ({"PORT": "seventy"}, "portal.E002"),
        ({"PORT": "٨٠٠٠"}, "portal.E002"),
        ({"PORTAL_MODE": "staging"}, "portal.E003"),
        ({"PORTAL_METRICS_ALLOW": "everybody"}, "portal.E004"),
        ({"PORTAL_DIGEST_KEY": "short"}, "portal.E005"),
        ({"PORTAL_SEALING_KEYS": "no-colon"}, "portal.E006"),
        ({"PORTAL_SECRET_KEY_FILE": "/nonexistent/file"}, "portal.E001"),
        ({**PRODUCTION, "PORTAL_DATABASE_URL": "mysql://x/y"}, "portal.E007"),
        ({**PRODUCTION, "PORTAL_ALLOWED_HOSTS": "*"}, "portal.E017"),
        ({**PRODUCTION, "PORTAL_BASE_URL": "http://portal.bank.example"}, "portal.E018"),
        ({**PRODUCTION, "PORTAL_TRUSTED_PROXIES": "10.0.0.0/8,::/0"}, "portal.E020"),
        ({**PRODUCTION, "PORTAL_ACCEPTED_WEAK_PINS": "123456"}, "portal.E026"),
        ({**PRODUCTION, "PORTAL_TXID_CHECK": "no.such.function"}, "portal.E027"),
        ({"PORTAL_TXID_CHECK": "portal.checks.LOOPBACK"}, "portal.E027"),
        ({**PRODUCTION, "PORTAL_SMS_URL": "http://sms.example"}, "portal.E031"),
        ({**PRODUCTION, "PORTAL_FCM_CREDENTIALS": "{}"}, "portal.E032"),
        ({**PRODUCTION, "PORTAL_APNS_KEY": "none"}, "portal.E033"),
        ({**PRODUCTION, "PORTAL_CA_FILE": "/nonexistent/file"}, "portal.E034"),
        ({**PRODUCTION, "PORTAL_CA_PASSPHRASE": "fifteen letters"}, "portal.E035"),
        ({**PRODUCTION, "PORTAL_PKI_URL": "https://pki.bank.example"}, "portal.E036"),
        ({**PRODUCTION, "PORTAL_PKI_URL": "pki.bank.example"}, "portal.E036"),
        ({**PRODUCTION, "PORTAL_CA_DIR": "/usr"}, "portal.E037"),
        ({**PRODUCTION, "PORTAL_CLIENT_CERT_HEADER": "Client-Cert"}, "portal.E041"),
        ({"PORTAL_CLIENT_CERT_HEADER": "Client Cert:"}, "portal.E041"),
        ({**PRODUCTION, "PORTAL_DEMO_PROVIDER": "on"}, "portal.E042"),
        ({**PRODUCTION, "PORTAL_INSIDE_NETWORKS": "127.0.0.0/8"}, "portal.E043"),
        ({**PRODUCTION, "PORTAL_INSIDE_NETWORKS": "10.0.0.0/8,::/0"}, "portal.E043"),
        ({**PRODUCTION, "PORTAL_INSIDE_NETWORKS": "169.254.0.0/16"}, "portal.E043"),
        ({"PORTAL_PKCS11_MODULE": "/nonexistent.so"}, "portal.E037"),
        ({"PORTAL_PKCS11_PIN": "1234"}, "portal.E037"),
        ({"PORTAL_DATABASE_URL": "postgresql://u:p@db/portal"}, "portal.E021"),
        ({"PORTAL_BIND": "192.0.2.1"}, "portal.E022"),
        ({"PORTAL_TRUSTED_PROXIES": "10.0.0.0/8"}, "portal.E023"),
    ],
)
def test_a_mistake_stops_the_start_with_its_id(environment: dict[str, str], id: str, tmp_path: Path) -> None:
    given = {**secrets(), **environment} if "PORTAL_MODE" in environment else environment
    run = check(given, tmp_path)
    assert run.returncode == 1
    assert [line.split(":")[0] for line in run.stderr.splitlines()] == [id]
    assert "Traceback" not in run.stderr


def test_two_equal_keys_are_refused(tmp_path: Path) -> None:
    same = new_secret("PORTAL_DIGEST_KEY")
    run = check({**PRODUCTION, **secrets(), "PORTAL_DIGEST_KEY": same, "PORTAL_AUDIT_KEY": same}, tmp_path)
    assert [line.split(":")[0] for line in run.stderr.splitlines()] == ["portal.E019"]


def upgraded() -> dict[str, str]:
    """What a portal sets that had one key for indexes and digests."""
    old = new_secret("PORTAL_DIGEST_KEY")
    return {**PRODUCTION, **secrets(), "PORTAL_INDEX_KEYS": f"k1:{old}", "PORTAL_DIGEST_KEY": old}


def test_the_key_of_the_time_before_index_rings_may_be_both(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    values = upgraded()
    old = values["PORTAL_DIGEST_KEY"]
    newer = f"{new_secret('PORTAL_INDEX_KEYS').replace('k1', 'k2')},k1:{old}"
    for ring in (f"k1:{old}", newer):
        run = check({**values, "PORTAL_INDEX_KEYS": ring}, tmp_path)
        assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    "name", ["PORTAL_AUDIT_KEY", "PORTAL_PAIRWISE_KEY", "PORTAL_SEALING_KEYS", "PORTAL_INDEX_KEYS"]
)
def test_and_nothing_else(name: str, tmp_path: Path) -> None:
    values = upgraded()
    old = values["PORTAL_DIGEST_KEY"]
    third = {
        "PORTAL_SEALING_KEYS": f"k1:{old}",
        "PORTAL_INDEX_KEYS": f"k2:{old},k1:{old}",
    }.get(name, old)
    run = check({**values, name: third}, tmp_path)
    assert [line.split(":")[0] for line in run.stderr.splitlines()] == ["portal.E019"]


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    values = secrets()
    for name, value in values.items():
        (tmp_path / name).write_text(f"{value}\n")
    (tmp_path / "static").mkdir()
    files = {f"{name}_FILE": str(tmp_path / name) for name in values}
    assert check({**PRODUCTION, **files}, tmp_path).returncode == 0


def test_the_demo_makes_its_secrets_once_for_its_owner_only(tmp_path: Path) -> None:
    first = demo_secrets(tmp_path, settings.SECRET_NAMES)
    assert demo_secrets(tmp_path, settings.SECRET_NAMES) == first
    assert (tmp_path / "demo-secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(set(first.values())) == len(settings.SECRET_NAMES)


def test_a_demo_of_the_time_before_index_rings_keeps_its_key(tmp_path: Path) -> None:
    first = demo_secrets(tmp_path, settings.SECRET_NAMES)
    new = {"PORTAL_INDEX_KEYS", "PORTAL_DIGEST_KEY", "PORTAL_PAIRWISE_KEY"}
    kept = {name: value for name, value in first.items() if name not in new}
    old = new_secret("PORTAL_INDEX_KEY")
    (tmp_path / "demo-secrets.json").write_text(json.dumps({**kept, "PORTAL_INDEX_KEY": old}))
    found = demo_secrets(tmp_path, settings.SECRET_NAMES)
    assert (found["PORTAL_INDEX_KEYS"], found["PORTAL_DIGEST_KEY"]) == (f"k1:{old}", old)
    assert found["PORTAL_PAIRWISE_KEY"] not in {old, first["PORTAL_PAIRWISE_KEY"]}
    assert {name: value for name, value in found.items() if name not in new} == kept
    assert demo_secrets(tmp_path, settings.SECRET_NAMES) == found


def test_a_database_url_is_read() -> None:
    read = read_database_url("postgresql://us%40er:p%2Fw@db.example:5433/portal?sslmode=verify-full")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"], read["NAME"]) == (
        "us@er",
        "p/w",
        "db.example",
        "5433",
        "portal",
    )
    assert read["OPTIONS"] == {"sslmode": "verify-full"}


def test_a_key_ring_keeps_its_order() -> None:
    environment = Environment({})
    keys = ",".join(f"k{number}:{new_secret('PORTAL_DIGEST_KEY')}" for number in (2, 1))
    assert list(environment.keys("X", keys)) == ["k2", "k1"]
    assert environment.problems == []


@pytest.mark.parametrize("key_id", ["", "K1", "k_1", "schlüssel", "a-name-of-17-long"])
def test_a_key_id_that_no_key_ring_takes_is_a_problem_at_the_start(key_id: str) -> None:
    environment = Environment({})
    assert environment.keys("X", f"{key_id}:{new_secret('PORTAL_DIGEST_KEY')}") == {}
    assert [problem.id for problem in environment.problems] == ["portal.E006"]


def test_a_key_has_one_spelling_but_for_its_padding() -> None:
    environment = Environment({})
    key = new_secret("PORTAL_DIGEST_KEY")
    assert environment.key("X", f"{key}=") == environment.key("X", key) != b""
    assert environment.problems == []
    assert environment.key("X", f"{key[:9]}!{key[9:]}") == b""
    assert [problem.id for problem in environment.problems] == ["portal.E005"]
