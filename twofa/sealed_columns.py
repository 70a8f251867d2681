"""What two-factor keeps sealed."""

from collections import Counter

from portal import vault
from portal.approvals.models import ApprovalRequest
from portal.approvals.payloads import PayloadBroken, open_payload
from portal.sealed import SealedColumn, register, register_held
from twofa.models import Answer, BrowserSignIn, IdentityProvider, NewDeviceSignIn, TwoFactorRequest
from twofa.operations.answering import ANSWER
from twofa.operations.browser_approval import NUMBER
from twofa.operations.browser_sign_in import VERIFIER
from twofa.operations.contents import CONTENT, MESSAGE
from twofa.operations.identity_providers import SECRET
from twofa.operations.new_devices import FACTS
from twofa.operations.provider_secrets import KEEP

register(
    SealedColumn(model=TwoFactorRequest, column="content_sealed", purpose=CONTENT, batch=200),
    SealedColumn(model=TwoFactorRequest, column="message_sealed", purpose=MESSAGE, batch=200),
    SealedColumn(model=Answer, column="message_sealed", purpose=ANSWER, batch=200),
    SealedColumn(model=NewDeviceSignIn, column="facts_sealed", purpose=FACTS),
    SealedColumn(model=BrowserSignIn, column="verifier_sealed", purpose=VERIFIER),
    SealedColumn(model=BrowserSignIn, column="number_sealed", purpose=NUMBER),
    SealedColumn(model=IdentityProvider, column="client_secret_sealed", purpose=SECRET),
)


def held_secrets() -> Counter[str]:
    """Client secrets that wait, sealed, for a second person: by the id of the key they are under."""
    found: Counter[str] = Counter()
    for request in ApprovalRequest.objects.open().filter(operation=KEEP).iterator():
        try:
            text = open_payload(request).arguments["sealed"]
        except PayloadBroken:
            continue  # nobody can carry it out any more
        if text:
            found[vault.key_of(text)] += 1
    return found


register_held("client secrets of identity providers that wait for a second person", held_secrets)
