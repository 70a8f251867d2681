"""Calls by tokens that only work with a proof of the device's key (RFC 9449)."""

from django.http import HttpRequest

from portal.accounts.proofs import proved_key
from portal.api.bearers import scheme_of
from portal.core.errors import Unauthenticated
from portal.crypto.codes import same


def require_possession(request: HttpRequest, thumbprint: str, access_token: str) -> None:
    """Ask for the proof that a bound token needs; a proof works once.

    access_token: as it was sent. Raises Unauthenticated `proof-wrong`, Unavailable where nobody can tell whether the
    proof is new.
    """
    if scheme_of(request) != "dpop" or not same(proved_key(request, access_token), thumbprint):
        raise Unauthenticated("The call is not proved by the token's key.", code="proof-wrong", bearer_sent=True)
