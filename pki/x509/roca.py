"""The fingerprint of moduli made by the flawed library of CVE-2017-15361 (ROCA).

Its primes have the form k·M + (65537^a mod M) with M a product of the first primes. So for each small prime p
that divides M the modulus is a power of 65537 modulo p. One modulus in about 2^27 has that by chance.
Source: Nemec, Sys, Svenda, Klinec, Matyas, "The Return of Coppersmith's Attack" (ACM CCS 2017), section 2.
"""

_GENERATOR = 65537
# Primes up to 167, the largest in the M of the smallest keys; larger keys have M with more of them.
_PRIMES = tuple(n for n in range(3, 168, 2) if all(n % d for d in range(3, n, 2)))


def _powers(prime: int) -> frozenset[int]:
    found, value = set(), 1
    while value not in found:
        found.add(value)
        value = value * _GENERATOR % prime
    return frozenset(found)


# A prime of which 65537 generates the whole group tells nothing.
_MARKS = tuple((prime, powers) for prime in _PRIMES if len(powers := _powers(prime)) < prime - 1)


def has_fingerprint(modulus: int) -> bool:
    """Whether the modulus looks as if it came from the flawed library: then its factors can be found."""
    return all(modulus % prime in powers for prime, powers in _MARKS)
