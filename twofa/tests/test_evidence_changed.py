"""A package that was changed in any place does not hold, wherever it is checked."""

import json
import random
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portal.audit import sealing
from portal.audit.inclusion import signing_key_pem
from twofa.tests.asking import ORDER, Scene
from twofa.tests.evidencing import SCRIPT, approved, check, package, script

pytestmark = pytest.mark.django_db

NUMBER: Final = 1000  # packages
TEXTS: Final = ("format", "message", "signature", "txId", "publicKey")
LOG_TEXTS: Final = ("leaf", "checkpoint", "publicKey")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def tampered(found: dict[str, Any], dice: random.Random) -> tuple[str, dict[str, Any]]:
    """The package, changed in one place, and the name of the place."""
    made: dict[str, Any] = json.loads(json.dumps(found))
    audit = made["audit"]
    steps: dict[str, Callable[[], Any]] = {
        **{name: partial(change, made, name, dice) for name in TEXTS},
        **{f"audit.{name}": partial(change, audit, name, dice) for name in LOG_TEXTS},
        "position": lambda: audit.update(position=audit["position"] + dice.choice((-1, 1))),
        "salt": lambda: made.update(salt="0"),
        "more": lambda: made.update(more=1),
        "less": lambda: made.pop(dice.choice(sorted(made))),
    }
    if audit["path"]:
        at = dice.randrange(len(audit["path"]))
        steps["path"] = lambda: audit["path"].__setitem__(at, changed(audit["path"][at], dice))
        steps["shorter"] = lambda: audit["path"].pop(at)
        steps["longer"] = lambda: audit["path"].insert(at, audit["path"][at])
    place = dice.choice(sorted(steps))
    steps[place]()
    return place, made


def change(part: dict[str, Any], name: str, dice: random.Random) -> None:
    part[name] = changed(part[name], dice)


def changed(text: str, dice: random.Random) -> str:
    """Another text: one character is exchanged, removed or put in."""
    at = dice.randrange(len(text))
    other = dice.choice([one for one in "0aZ+/ \n" if one != text[at]])
    return dice.choice(
        (text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + other + text[at:])
    )


def each_place(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The package with each character of each text exchanged, one at a time."""
    for holder, name in [(None, name) for name in ("message", "signature", "txId", "publicKey")] + [
        ("audit", name) for name in LOG_TEXTS
    ]:
        text = found["audit"][name] if holder else found[name]
        for at, old in enumerate(text):
            other = text[:at] + ("0" if old != "0" else "1") + text[at + 1 :]
            part = {name: other}
            yield {**found, "audit": {**found["audit"], **part}} if holder else {**found, **part}


def test_each_character_counts(scene: Scene) -> None:
    found = package(scene, approved(scene))
    number = 0
    for other in each_place(found):
        with pytest.raises(script.Bad):
            check(other)
        number += 1
    assert number > 1500


# Reads packages, each as a JSON text in a line, and says of each what the script does. An import of anything of the
# portal's, or of Django, would end it.
JUDGE: Final = """
import importlib.util, json, pathlib, sys
sys.modules |= dict.fromkeys(("django", "portal", "twofa", "devices", "pki"))
spec = importlib.util.spec_from_file_location("check_evidence", sys.argv[1])
script = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = script
spec.loader.exec_module(script)
log_key = pathlib.Path(sys.argv[2]).read_text()
for line in sys.stdin:
    try:
        checked = script.check(json.loads(line), log_key)
        print("signed" if checked.signed and checked.approved else "not signed")
    except script.Bad as problem:
        print("bad:", problem)
"""


def judged(packages: list[dict[str, Any]], folder: Path) -> list[str]:
    """What an isolated process says of each package."""
    key = folder / "log.pem"
    key.write_text(signing_key_pem())
    lines = "".join(json.dumps(json.dumps(found, ensure_ascii=False)) + "\n" for found in packages)
    done = subprocess.run(
        [sys.executable, "-I", "-c", JUDGE, str(SCRIPT), str(key)],
        input=lines, env={}, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_thousand_packages_hold_and_each_change_is_seen(scene: Scene, tmp_path: Path) -> None:
    requests = []
    for number in range(NUMBER):
        requests.append(approved(scene))
        if number % 7 == 0:
            sealing.seal_now()
    packages = [package(scene, request) for request in requests]
    assert judged(packages, tmp_path) == ["signed"] * NUMBER
    dice = random.Random(20261122)
    places, others = zip(*(tampered(found, dice) for found in packages), strict=True)
    assert len(set(places)) == len(TEXTS) + len(LOG_TEXTS) + 7
    said = judged(list(others), tmp_path)
    assert (len(said), [one for one in said if not one.startswith("bad: ")]) == (NUMBER, [])


def test_the_twin_of_a_signature_is_not_the_one_that_came(scene: Scene) -> None:
    found = package(scene, approved(scene))
    r, s = found["signature"][:64], int(found["signature"][64:], 16)
    with pytest.raises(script.Bad, match="knows another signature"):
        check({**found, "signature": f"{r}{ORDER - s:064x}"})


def test_a_log_that_a_forger_signed_agrees_with_itself_and_with_nobody_else(scene: Scene) -> None:
    found = package(scene, approved(scene))
    key = Ed25519PrivateKey.generate()
    text = found["audit"]["checkpoint"].partition("\n\n")[0] + "\n"
    public = key.public_key().public_bytes_raw()
    name = sha256(script.ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    note = f"{text}\n— {script.ORIGIN} {b64encode(name + key.sign(text.encode())).decode()}\n"
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    forged = {**found, "audit": {**found["audit"], "checkpoint": note, "publicKey": pem}}
    assert check(forged).signed
    with pytest.raises(script.Bad, match="another log's key"):
        check(forged, log_key=signing_key_pem())
