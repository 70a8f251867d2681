"""Tokens that a gateway shows at its service: made or fetched when needed, kept for a while, by one process."""

import threading
import time
from collections.abc import Callable

from jwcrypto import jwk, jwt


class KeptToken:
    """Holds one token. `make` returns it, and for how many seconds it is good; whoever asks meanwhile waits."""

    def __init__(self, make: Callable[[], tuple[str, float]]) -> None:
        self._make = make
        self._guard = threading.Lock()
        self._token, self._good_until = "", 0.0

    def get(self) -> str:
        """The token. Raises what `make` raises."""
        with self._guard:
            if time.monotonic() >= self._good_until:
                self._token, seconds = self._make()
                self._good_until = time.monotonic() + seconds
            return self._token

    def drop(self, token: str) -> None:
        """It was refused: the next call makes another, unless one was made meanwhile."""
        with self._guard:
            if token == self._token:
                self._good_until = 0.0


def signed_token(pem: str, header: dict[str, str], claims: dict[str, object]) -> str:
    """A JSON Web Token (RFC 7519) by the private key in `pem`. Raises ValueError for a key that does not fit."""
    try:
        key = jwk.JWK.from_pem(pem.encode())
        token = jwt.JWT(header=header, claims=claims)
        token.make_signed_token(key)
        return str(token.serialize())
    except Exception as error:  # noqa: BLE001  the library has no common class for its errors
        raise ValueError(f"no token can be signed: {type(error).__name__}") from None
