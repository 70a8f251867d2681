"""A phone in a terminal, for who writes or tries a mobile application: it knows the APIs and nothing of the portal.

    python docs/phone.py take var/demo.json                     the demo's first phone, with its key and token
    python docs/phone.py id-token HB-100777                     what the demo's provider says of a customer
    python docs/phone.py enrol --app-secret S --method M --id-token T --code C      a first phone, with its own key
    python docs/phone.py join --app-secret S --method M --id-token T                one more: approve on the first
    python docs/phone.py sign-in --method M --id-token T        a new session, by the key
    python docs/phone.py refresh                                the session goes on; others do this by themselves
    python docs/phone.py watch                                  what it is asked; answer with y, n or ! (not me)
    python docs/phone.py approve ID [--number 42] [--yes]       or: deny ID [--not-me]
    python docs/phone.py certificate                            a key and a request; waits until it is signed
    python docs/phone.py rotate                                 the same before it is due
    python docs/phone.py transfer USR_… --reason "A gift"       and on the other phone: accept TRF_… CODE
    python docs/phone.py status | devices

Needs Python 3.12 and the package `cryptography`. What the phone keeps, its keys too, is in one file (`--file`, mode
0600): this is for trying out, a real phone keeps its keys in hardware. Two files are two phones.
"""

import argparse
import base64
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

POLL: Final = 2.0  # seconds
PATIENCE: Final = 600.0  # seconds that a certificate or an approval is waited for
LONG_POLL: Final = {"Prefer": "wait=25"}  # seconds that the server may hold an answer back (RFC 7240 4.3)
DOMAIN: Final = "device-portal/2fa-approval/v1"  # what it signs says that it is an approval
PROOF: Final = "device-certificate-proof:v1:{id}:{fingerprint}"

OVER: Final = {"unauthorized", "refresh-token-invalid"}  # what the server says of a session that has ended
NO_CERTIFICATE: Final = {"certificate": "", "certificate_key": "", "waiting_key": ""}
USAGE: Final = "".join((__doc__ or "").partition("\n\n")[1:])

QUESTION: Final = "  Approve? y, n, ! (it was not me), the number you were shown, or Enter for later: "

type Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Refused(Exception):
    """The server said no. The text is its own."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        words = body.get("detail") or body.get("message") or body.get("title") or "no words"
        named = (f"{one.get('field')}: {one.get('message')}" for one in body.get("errors") or [])
        told = "; ".join(text for text in named if not text.endswith(f": {words}"))
        hint = " Sign in again." if status == 401 and body.get("code") in OVER else ""
        super().__init__(f"{status} {body.get('code', '')}: {words}{f' ({told})' if told else ''}{hint}")
        self.status = status


class Unready(Exception):
    """The phone itself cannot do this; the text says why."""


class Phone:
    """What the phone keeps, and how it calls. state: as it stands in the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = _read(path) if path.exists() else {}

    def need(self, name: str) -> str:
        """Something that the phone keeps. Raises Unready."""
        if not self.state.get(name):
            what = name.replace("_", " ")
            raise Unready(f"There is no {what} in {self.path}. Use enrol, join or take first.")
        return str(self.state[name])

    def keep(self, **values: Any) -> None:
        """Write the file anew, for its owner only."""
        self.state |= values
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.state, file, indent=1)
        fresh.replace(self.path)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON, None where it has no body. An old session is renewed once. Raises Refused, Unready."""
        try:
            return self.send(method, path, body, self._bearer())
        except Refused as error:
            if error.status != 401 or not self.state.get("refresh_token"):
                raise
        self.renew()
        return self.send(method, path, body, self._bearer())

    def enter(self, path: str, body: dict[str, Any]) -> Any:
        """A call before there is a session: the application shows its secret."""
        secret = self.state.get("app_secret")
        return self.send("POST", path, body, {"X-Hyphen-App-Secret": secret} if secret else {})

    def renew(self) -> None:
        """Trade the refresh token, which works once, for a new session."""
        self.take_session(self.enter("/auth/v1/refresh", {"refreshToken": self.need("refresh_token")}))

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.need('access_token')}"}

    def take_session(self, answer: dict[str, Any]) -> None:
        credentials = answer["credentials"]
        self.keep(access_token=credentials["accessToken"], refresh_token=credentials["refreshToken"])

    def key(self, name: str = "key") -> Key:
        """One of its private keys."""
        found = serialization.load_pem_private_key(self.need(name).encode(), None)
        if not isinstance(found, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise TypeError("the phone's keys are P-256 or Ed25519")
        return found

    def new_key(self) -> tuple[ec.EllipticCurvePrivateKey, str]:
        """A new key, and its text to keep."""
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return made, pem.decode()

    def sign(self, text: str) -> str:
        """Hex of the approval key's signature over the text's UTF-8 bytes: r‖s, or Ed25519's 64 bytes."""
        key = self.key()
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(text.encode()).hex()
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{r:064x}{s:064x}"

    def send(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        """One call as it is. Raises Refused, Unready."""
        known = {"Content-Type": "application/json; charset=utf-8", "X-Hyphen-SDK-Platform": "terminal"}
        data = None if body is None else json.dumps(body).encode()
        server = self.state["server"]
        try:
            request = urllib.request.Request(server + path, data, known | headers, method=method)  # noqa: S310
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(error.code, _object(error.read())) from None
        except urllib.error.URLError as error:
            raise Unready(f"{server} does not answer: {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unready(f"{server} does not answer: {error}") from None
        except ValueError:
            raise Unready(f"{server} does not speak as the portal does.") from None


def take(phone: Phone, demo: Path, number: int) -> None:
    """Become the demo's first phone, or its `number`th."""
    read = _read(demo)
    devices = [(device, customer) for customer in read.get("customers", []) for device in customer["devices"]]
    if not 0 <= number < len(devices):
        raise Unready(f"{demo} has {len(devices)} phones: --number is one of 0 to {len(devices) - 1}.")
    chosen, customer = devices[number]
    mobile = [one for one in read["applications"] if (one["kind"], one["bank"]) == ("mobile", customer["bank"])]
    phone.keep(
        app_secret=mobile[0]["app_secret"],
        access_token=chosen["access_token"],
        refresh_token="",
        key=chosen["private_key_pem"],
        public_key=chosen["public_key"],
        **NO_CERTIFICATE,
    )
    say(f"This is {chosen['device_id']} now, of customer {customer['customer_number']}.")


def id_token(phone: Phone, number: str) -> None:
    """What a bank's provider says once somebody has signed in there; the demo's says it of anybody."""
    say(phone.send("POST", "/demo/provider/id-token", {"customerNumber": number}, {})["idToken"])


def enrol(phone: Phone, app_secret: str, method: str, id_token: str, code: str, name: str) -> None:
    """A first phone: its own key, the bank's word, an activation code. Its first sign-in proves the key."""
    user_key, kept = _new_phone(phone, app_secret, name)
    sent = {"method": method, "token": id_token, "activationCode": code, "userKey": user_key}
    answer = phone.send("POST", "/auth/v1/signup", sent, {"X-Hyphen-App-Secret": app_secret})
    phone.keep(**kept)
    phone.take_session(answer)
    say(f"Enrolled for {answer['account']['id']}.")
    sign_in(phone, method, id_token)


def join(phone: Phone, app_secret: str, method: str, id_token: str, name: str) -> None:
    """A further phone: one that the customer has already approves it. Its first sign-in proves its key."""
    user_key, kept = _new_phone(phone, app_secret, name)
    sent = {"request": {"method": method, "token": id_token}, "userKey": user_key}
    asked = phone.send("POST", "/auth/v1/signin/2fa", sent, {"X-Hyphen-App-Secret": app_secret})
    found, bearer = asked["twoFactorAuth"], {"Authorization": f"Bearer {asked['ephemeralAccessToken']}"}
    say(f"Approve {found['id']} on {found['request']['destDevice']['name'] or 'the other phone'}.")
    if number := asked.get("number"):
        say(f"It asks for this number: {number}")
    try:
        found = _answered(phone, found, bearer)
        finish = {"twoFactorAuthRequestId": found["request"]["id"]}
        answer = phone.send("POST", "/auth/v1/signin/2fa/finish", finish, bearer)
    except Refused as error:
        if error.status != 401:  # "it was not me" ends the token that waits
            raise
        raise Unready("The sign-in is over: the other phone says that it was not you.") from None
    phone.keep(**kept)
    phone.take_session(answer)
    say(f"Let in for {answer['account']['id']}.")
    sign_in(phone, method, id_token)


def _new_phone(phone: Phone, app_secret: str, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """(what the server is told of it, what the phone keeps once it is let in)."""
    key, pem = phone.new_key()
    numbers = key.public_key().public_numbers()
    public = f"{numbers.x:064x}{numbers.y:064x}"
    device = {"name": name, "osName": "Android", "osVersion": "16", "deviceModel": "Terminal", "type": "mobile"}
    kept = {"app_secret": app_secret, "key": pem, "public_key": public, **NO_CERTIFICATE}
    return {"type": "device", "device": device, "publicKey": public}, kept


def _answered(phone: Phone, found: dict[str, Any], bearer: dict[str, str]) -> dict[str, Any]:
    """The request once it is not pending any more, or too late. The server holds each answer back for a while."""
    until = time.monotonic() + PATIENCE
    while found["status"] == "pending" and found["expiresAt"] > _now() and time.monotonic() < until:
        asked = time.monotonic()
        answer = phone.send("GET", f"/device/v1/2fa/{found['id']}", None, bearer | LONG_POLL)
        found = answer["twoFactorAuth"]
        if found["status"] == "pending" and time.monotonic() - asked < POLL:  # too many wait: it was answered at once
            time.sleep(POLL)
    return found


def sign_in(phone: Phone, method: str, id_token: str) -> None:
    """A session by the phone's key: it signs what it is sent, as it came."""
    asked = {"method": method, "token": id_token}
    kind = {"challengeType": "deviceKey"}
    sent = {**kind, "request": asked, "publicKey": phone.need("public_key")}
    challenge = phone.enter("/auth/v1/signin/challenge", sent)["challengeData"]
    answer = {**kind, "challengeData": challenge, "deviceKey": {"signature": phone.sign(challenge)}}
    phone.take_session(phone.enter("/auth/v1/signin/challenge/respond", answer))
    say("Signed in by the key.")


def watch(phone: Phone, *, once: bool) -> None:
    """Poll for requests, show each, and ask for the answer."""
    seen: set[str] = set()
    if not once:
        say("Waiting for requests. Ctrl-C ends it.")
    while True:
        for found in phone.call("GET", "/device/v1/2fa")["twoFactorAuths"]:
            if found["request"]["id"] in seen:
                continue
            seen.add(found["request"]["id"])
            message = show(found)
            if not once:
                _ask(phone, found["id"], message)
        if once:
            return
        time.sleep(POLL)


def show(found: dict[str, Any]) -> str:
    """What a person has to see before they answer, read from the text that is signed and from nothing beside it.

    Returns that text, "" where it is none that this phone would sign.
    """
    text = str(found["request"]["message"])
    message = _approval(text, found["id"])
    if message is None:
        say(f"\n{_plain(found['id'])} is nothing that is signed; it can only be denied here. It says: {_plain(text)}")
        return ""
    info = message["userOpInfo"]
    facts: dict[str, str] = next((value for name, value in info.items() if name != "type"), {})
    shown = {**facts, "message": message["text"], "from": (message["srcDevice"] or {}).get("name", "")}
    app = _plain(message["app"]["appName"])
    say(f"\n{app} asks: {info['type']}   {message['id']}   until {message['expiresAt']}")
    for name, value in shown.items():
        if value:
            say(f"  {name:<12} {_plain(value)}")
    return text


def _approval(text: str, request_id: str) -> dict[str, Any] | None:
    """What a message says, where it is an approval of this request."""
    try:
        message = _object(text.encode())
        ours = (message["domain"], message["decision"], message["id"]) == (DOMAIN, "approve", request_id)
    except KeyError:
        return None
    return message if ours else None


def _plain(text: str) -> str:
    """What a terminal would obey, or not show, by its number."""
    return "".join(one if one.isprintable() else f"<U+{ord(one):04X}>" for one in text)


def approve(phone: Phone, request_id: str, number: str = "", *, yes: bool = False) -> None:
    """Fetch a request once: show it, ask, and sign what was shown. yes: do not ask."""
    found = phone.call("GET", f"/device/v1/2fa/{request_id}")["twoFactorAuth"]
    message = show(found)
    if not yes and _given("  Approve? y, or Enter for later: ") != "y":
        say("Not approved.")
        return
    sign_approval(phone, request_id, message, number)


def sign_approval(phone: Phone, request_id: str, message: str, number: str) -> None:
    """Sign the very text that was shown, and send the signature. Raises Unready where nothing can be signed."""
    if not message:
        raise Unready("There is nothing to sign in it.")
    sent = {"signature": phone.sign(message), **({"number": number} if number else {})}
    phone.call("POST", f"/device/v1/2fa/{request_id}/approve", sent)
    say("Approved.")


def deny(phone: Phone, request_id: str, *, not_me: bool) -> None:
    """Deny; `not_me` says that somebody else must have asked."""
    phone.call("DELETE", f"/device/v1/2fa/{request_id}{'?notMe=true' if not_me else ''}")
    say("Denied.")


def certificate(phone: Phone) -> None:
    """Ask for a certificate with a key that is used for nothing else, and wait until it is signed."""
    key, pem = phone.new_key()
    device = status(phone)["deviceId"]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    csr = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    asked = phone.call("POST", "/v1/device/cert/request", {"deviceId": device, "csr": csr})
    phone.keep(waiting_key=pem)
    say(f"{asked['csrId']} is {asked['status']}. The bank has to sign it.")
    path = f"/v1/device/cert/request/{asked['csrId']}"
    signed = _wait(phone, path, {"PENDING", "APPROVED", "SIGNING"}, {"SIGNED"})["certificate"]
    _keep_certificate(phone, signed["certificateContent"], key_name="waiting_key")
    phone.keep(waiting_key="")


def rotate(phone: Phone) -> None:
    """Renew the certificate now; a new key where the old one is not certified again. Then prove it."""
    sent = {"deviceId": status(phone)["deviceId"], "rotationType": "MANUAL", "forceRotation": True}
    started = phone.call("POST", "/v1/device/cert/rotate", sent)
    say(f"{started['rotationId']} is {started['status']}.")
    path = f"/v1/device/cert/rotate/{started['rotationId']}"
    now = _wait(phone, path, {"IN_PROGRESS"}, {"AWAITING_DEVICE", "ISSUED", "COMPLETED"})
    if now["status"] == "AWAITING_DEVICE":
        certificate(phone)
        now = phone.call("GET", path)
    else:
        _keep_certificate(phone, now["certificateContent"], key_name="certificate_key")
    if now["status"] == "ISSUED":
        _prove(phone, now["newCertificateId"])


def transfer(phone: Phone, new_owner: str, reason: str) -> None:
    """Ask for the device to become somebody else's."""
    known = status(phone)
    sent = {"deviceId": known["deviceId"], "newOwnerId": new_owner, "transferReason": reason}
    asked = phone.call("POST", "/v1/device/ownership/transfer", sent)
    say(f"{asked['transferId']} is {asked['status']}. The bank has to approve it.")


def accept(phone: Phone, transfer_id: str, code: str) -> None:
    """Take a device over, with the code that the new owner got."""
    sent = {"transferId": transfer_id, "acceptanceCode": code}
    say(phone.call("POST", "/v1/device/ownership/accept", sent)["message"])


def status(phone: Phone) -> Any:
    """What the bank knows of this phone."""
    return phone.call("GET", "/v1/device/status")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _ask(phone: Phone, request_id: str, message: str) -> None:
    given = _given(QUESTION)
    if not message and given not in {"n", "!"}:
        return
    try:
        if given == "y" or given.isdigit():
            sign_approval(phone, request_id, message, given if given.isdigit() else "")
        elif given in {"n", "!"}:
            deny(phone, request_id, not_me=given == "!")
    except Refused as error:
        say(f"  {error}")


def _given(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        raise Unready("There is nobody to ask: use approve with --yes, or deny.") from None


def _wait(phone: Phone, path: str, going_on: set[str], good: set[str]) -> Any:
    """Poll until the status is none of `going_on`. Raises Refused when it is none of `good` then."""
    until = time.monotonic() + PATIENCE
    while (found := phone.call("GET", path))["status"] in going_on and time.monotonic() < until:
        time.sleep(POLL)
    if found["status"] not in good:
        raise Refused(0, {"code": found["status"], "detail": found.get("reason") or "It did not get that far."})
    return found


def _keep_certificate(phone: Phone, content: str, *, key_name: str) -> None:
    pem = base64.b64decode(content).decode()
    phone.keep(certificate=pem, certificate_key=phone.need(key_name))
    read = x509.load_pem_x509_certificate(pem.encode())
    say(f"Certificate for {read.subject.rfc4514_string()} until {read.not_valid_after_utc:%Y-%m-%d}.")


def _prove(phone: Phone, certificate_id: str) -> None:
    read = x509.load_pem_x509_certificate(phone.need("certificate").encode())
    text = PROOF.format(id=certificate_id, fingerprint=read.fingerprint(hashes.SHA256()).hex())
    key = phone.key("certificate_key")
    raw = text.encode()
    signature = (
        key.sign(raw) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(raw, ec.ECDSA(hashes.SHA256()))
    )
    sent = {"certificateId": certificate_id, "signature": base64.b64encode(signature).decode()}
    phone.call("POST", "/v1/device/cert/prove", sent)
    say("Proved: the old certificate is not needed any more.")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _read(path: Path) -> dict[str, Any]:
    """A JSON file. Raises Unready."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unready(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise Unready(f"{path} holds something else.") from None
    if not isinstance(found, dict):
        raise Unready(f"{path} holds something else.")
    return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A phone in a terminal.", epilog=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=Path("var/phone.json"), help="what the phone keeps")
    parser.add_argument("--server", default="", help="http://127.0.0.1:8000, or what the file says")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    steps.add_parser("take").add_argument("demo", type=Path, help="the demo's file")
    steps.choices["take"].add_argument("--number", type=int, default=0, help="which of its phones, from 0")
    steps.add_parser("id-token").add_argument("number", help="the customer's number at the bank")
    for name in ("enrol", "join", "sign-in"):
        step = steps.add_parser(name)
        step.add_argument("--method", required=True, help="the identity provider's name")
        step.add_argument("--id-token", required=True, help="what it says of the customer")
    for name in ("enrol", "join"):
        steps.choices[name].add_argument("--app-secret", required=True, help="names the application")
        steps.choices[name].add_argument("--name", default="A terminal", help="the phone's")
    steps.choices["enrol"].add_argument("--code", required=True, help="the activation code")
    steps.add_parser("watch").add_argument("--once", action="store_true", help="show what is open, and end")
    steps.add_parser("approve").add_argument("id")
    steps.choices["approve"].add_argument("--number", default="", help="what the waiting side shows")
    steps.choices["approve"].add_argument("--yes", action="store_true", help="do not ask")
    steps.add_parser("deny").add_argument("id")
    steps.choices["deny"].add_argument("--not-me", action="store_true")
    steps.add_parser("transfer").add_argument("new_owner")
    steps.choices["transfer"].add_argument("--reason", required=True)
    steps.add_parser("accept").add_argument("transfer")
    steps.choices["accept"].add_argument("code")
    for name in ("refresh", "certificate", "rotate", "status", "devices"):
        steps.add_parser(name)
    return parser.parse_args(given)


def _do(phone: Phone, given: argparse.Namespace) -> None:
    match given.step:
        case "take":
            take(phone, given.demo, given.number)
        case "id-token":
            id_token(phone, given.number)
        case "enrol":
            enrol(phone, given.app_secret, given.method, given.id_token, given.code, given.name)
        case "join":
            join(phone, given.app_secret, given.method, given.id_token, given.name)
        case "sign-in":
            sign_in(phone, given.method, given.id_token)
        case "refresh":
            phone.renew()
            say("The session goes on.")
        case "watch":
            watch(phone, once=given.once)
        case "approve":
            approve(phone, given.id, given.number, yes=given.yes)
        case "deny":
            deny(phone, given.id, not_me=given.not_me)
        case "certificate":
            certificate(phone)
        case "rotate":
            rotate(phone)
        case "transfer":
            transfer(phone, given.new_owner, given.reason)
        case "accept":
            accept(phone, given.transfer, given.code)
        case "status":
            say(json.dumps(status(phone), indent=2))
        case _:
            say(json.dumps(phone.call("GET", "/device/v1/devices"), indent=2))


def main(given: Sequence[str] | None = None) -> int:
    """0 done, 1 refused, 130 stopped."""
    arguments = _arguments(given)
    try:
        phone = Phone(arguments.file)
        phone.state["server"] = (arguments.server or phone.state.get("server") or "http://127.0.0.1:8000").rstrip("/")
        _do(phone, arguments)
    except (Refused, Unready) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
