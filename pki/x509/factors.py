"""Cheap looks at an RSA modulus: does it fall to a method that anybody would try first?

These are checks, not primitives: everything they read is public. None of them says that a key is good.
"""

import math
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

FERMAT_ROUNDS = 100  # CA/B Baseline Requirements 6.1.1.3 (5)
SMALL_PRIMES_BELOW = 1 << 16

_ROOTS = tuple(k for k in range(3, 258, 2) if all(k % p for p in range(3, 16, 2) if p < k))  # odd primes to 257
_OTHER_PRIME = 2**61 - 1
_MESSAGE = b"a prime modulus hides nothing"


@cache
def _small_primes_product() -> int:
    sieve = bytearray([1]) * SMALL_PRIMES_BELOW
    sieve[:2] = b"\0\0"
    for number in range(2, math.isqrt(SMALL_PRIMES_BELOW) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, SMALL_PRIMES_BELOW, number)))
    return math.prod(number for number, is_prime in enumerate(sieve) if is_prime)


def has_small_factor(modulus: int) -> bool:
    """Whether a prime below 2^16 divides the modulus (well under a millisecond)."""
    return math.gcd(_small_primes_product() % modulus, modulus) != 1


def has_close_primes(modulus: int, rounds: int = FERMAT_ROUNDS) -> bool:
    """Whether Fermat's method finds two factors in so many rounds. A square falls in the first."""
    a = math.isqrt(modulus - 1) + 1
    for _ in range(rounds):
        rest = a * a - modulus
        if rest & 3 in (0, 1) and math.isqrt(rest) ** 2 == rest:
            return True
        a += 1
    return False


def is_power(modulus: int) -> bool:
    """Whether the modulus is m^k with an odd k > 1 and every factor of it above 2^16 (squares: Fermat's method).

    Such a root has more than 16 bits, so no k above 256 is left for a modulus of 4096 bits.
    """
    bits = modulus.bit_length()
    return any(_root(modulus, k) ** k == modulus for k in _ROOTS if 16 * k < bits)


def _root(number: int, k: int) -> int:
    guess = 1 << -(-number.bit_length() // k)  # not below the root, from where Newton's method falls to it
    while True:
        better = ((k - 1) * guess + number // guess ** (k - 1)) // k
        if better >= guess:
            return guess
        guess = better


def is_prime(modulus: int) -> bool:
    """Whether the modulus is itself a prime, so that everybody can compute its private key.

    It is tried as an attacker would: make the private key that belongs to a prime modulus, sign, and see whether
    the signature holds. With a prime it always does. With a composite it does only if that was built to pass, and
    then others can sign for it too. The library computes it more than twice as fast as ``pow``: about 0.1 s for
    4096 bits. A second prime beside the modulus makes it a complete key for the library.
    """
    phi = (modulus - 1) * (_OTHER_PRIME - 1)
    e = next(e for e in range(65537, 1 << 20, 2) if math.gcd(e, phi) == 1)
    d = pow(e, -1, phi)
    public = rsa.RSAPublicNumbers(e, modulus * _OTHER_PRIME)
    numbers = rsa.RSAPrivateNumbers(
        p=modulus, q=_OTHER_PRIME, d=d, dmp1=d % (modulus - 1), dmq1=d % (_OTHER_PRIME - 1),
        iqmp=pow(_OTHER_PRIME, -1, modulus), public_numbers=public,
    )  # fmt: skip
    # Validation would prove the primality of both numbers with 128 rounds; that is what takes too long here.
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    try:
        key.public_key().verify(
            key.sign(_MESSAGE, padding.PKCS1v15(), SHA256()), _MESSAGE, padding.PKCS1v15(), SHA256()
        )
    except (InvalidSignature, ValueError):
        return False
    return True
