"""Checking a package as docs/evidence.md says: by the script alone, with openssl, and in a dozen lines."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.models import DeviceKey
from devices.tests.factories import make_device
from portal.audit.inclusion import signing_key_pem
from portal.core import clock
from portal.crypto.keys import parse_public_key
from twofa.operations.answering import approve_request
from twofa.operations.contents import message_of
from twofa.tests.asking import Scene, bound
from twofa.tests.evidencing import SCRIPT, approved, check, package

pytestmark = pytest.mark.django_db
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The script alone: isolated, so that nothing of ours is on its path."""
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *words], env={}, cwd="/", capture_output=True, text=True, check=False
    )


def test_the_script_runs_without_the_portal(scene: Scene, tmp_path: Path) -> None:
    file, key = tmp_path / "evidence.json", tmp_path / "log.pem"
    found = package(scene, approved(scene))
    file.write_text(json.dumps(found))
    key.write_text(signing_key_pem())
    done = run("--log-key", str(key), str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OK: APPROVED at ")
    assert "was not checked" in run(str(file)).stdout
    file.write_text(json.dumps({**found, "txId": "another"}))
    done = run("--log-key", str(key), str(file))
    assert (done.returncode, done.stderr) == (1, "FAILED: the log knows another transaction id.\n")
    for wrong in (b"[]", b"\xff\xfe"):
        file.write_bytes(wrong)
        done = run(str(file))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("wrong", ["package", "log-key", "split"])
def test_a_file_that_is_not_there_is_no_package_that_does_not_hold(scene: Scene, tmp_path: Path, wrong: str) -> None:
    file, key, missing = tmp_path / "evidence.json", tmp_path / "log.pem", tmp_path / "missing"
    file.write_text(json.dumps(package(scene, approved(scene))))
    key.write_text(signing_key_pem())
    words = {
        "package": ["--log-key", str(key), str(missing)],
        "log-key": ["--log-key", str(missing), str(file)],
        "split": ["--log-key", str(key), "--split", str(file / "parts"), str(file)],
    }
    done = run(*words[wrong])
    assert (done.returncode, done.stdout) == (3, "")
    told = file / "parts" if wrong == "split" else missing
    assert done.stderr == f"NOT CHECKED: {told} cannot be read or written.\n"


def split(found: dict[str, Any], folder: Path) -> Path:
    """The package's parts, as the script writes them."""
    file, parts = folder / "evidence.json", folder / "parts"
    file.write_text(json.dumps(found))
    assert run("--split", str(parts), str(file)).returncode in (0, 2)
    return parts


def commands() -> list[str]:
    """What the document says to type, in the order in which it does."""
    text = (SCRIPT.parent / "evidence.md").read_text(encoding="utf-8")
    part = text.partition("## By hand, with openssl")[2].partition("And the way from")[0]
    return [line.strip() for line in part.splitlines() if line.startswith("    ") and "openssl" in line]


def typed(line: str, folder: Path) -> str:
    done = subprocess.run(["/bin/sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), line
    return done.stdout


@openssl
def test_openssl_says_the_same(scene: Scene, tmp_path: Path) -> None:
    parts = split(package(scene, approved(scene)), tmp_path)
    device, checkpoint, *digests, _ = commands()
    assert typed(device, parts) == "Verified OK\n"
    assert typed(checkpoint, parts) == "Signature Verified Successfully\n"
    event = json.loads(json.loads((parts / "leaf").read_text()[:-64])[-2])["details"]
    said = [typed(line, parts).split("= ")[1].strip() for line in digests]
    assert said == [event["message"], event["signature"], event["fingerprint"]]


@openssl
def test_openssl_reads_an_ed25519_key_too(scene: Scene, tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    phone = make_device(scene.ada)
    key = parse_public_key(private.public_key().public_bytes_raw().hex())
    fields = {"algorithm": key.algorithm, "public_key": key.canonical, "fingerprint": key.fingerprint}
    now = clock.now()
    DeviceKey.objects.create(device=phone, **fields, spelling=key.spelling, registered_at=now, proved_at=now)
    request = scene.ask(destination_id=str(phone.pk)).request
    signature = private.sign(message_of(request).encode()).hex()
    approve_request(actor=bound(phone), id=str(request.pk), signature=signature)
    found = package(scene, request)
    assert check(found).signed
    line = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in message -sigfile signature"
    assert line in " ".join((SCRIPT.parent / "evidence.md").read_text(encoding="utf-8").split())
    assert typed(line, split(found, tmp_path)) == "Signature Verified Successfully\n"


@openssl
def test_the_digest_of_a_callers_own_text_is_of_the_salts_and_its_own(tmp_path: Path) -> None:
    scene = Scene(rules={"approval_proof": "transaction-id"})
    request = scene.ask(text="Send 5 to Cem?").request
    approve_request(actor=scene.owner, id=str(request.pk), tx_id="0xabc")
    parts = split(package(scene, request), tmp_path)
    event = json.loads(json.loads((parts / "leaf").read_text()[:-64])[-2])["details"]
    assert typed(commands()[-1], parts).split("= ")[1].strip() == event["message"]


def test_the_documents_dozen_lines_lead_to_the_root(scene: Scene, tmp_path: Path) -> None:
    text = (SCRIPT.parent / "evidence.md").read_text(encoding="utf-8")
    lines = text.partition("in a dozen lines:\n\n")[2].partition("\n\n##")[0].splitlines()
    program = "\n".join(line.removeprefix("    ") for line in lines)
    file = tmp_path / "evidence.json"
    for _ in range(3):
        found = package(scene, approved(scene))
    for position, holds in ((found["audit"]["position"], "True"), (found["audit"]["position"] - 1, "False")):
        file.write_text(json.dumps({**found, "audit": {**found["audit"], "position": position}}))
        done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (f"{holds}\n", "")
