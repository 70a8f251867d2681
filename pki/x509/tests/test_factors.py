"""The cheap looks at RSA moduli: what they find, and that they let honest keys alone."""

import pytest

from pki.x509 import factors, roca
from pki.x509.tests import hostile, makers

SIZES = (2048, 3072, 4096)


def modulus(bits: int) -> int:
    return makers.modulus(f"rsa-{bits}")


@pytest.mark.parametrize("bits", SIZES)
def test_an_honest_modulus_passes_all(bits: int) -> None:
    n = modulus(bits)
    checks = (
        factors.has_small_factor, factors.has_close_primes, factors.is_power, factors.is_prime, roca.has_fingerprint,
    )  # fmt: skip
    assert [check(n) for check in checks] == [False] * 5


@pytest.mark.parametrize("bits", SIZES)
def test_a_prime_is_seen(bits: int) -> None:
    assert factors.is_prime(hostile.prime(bits))
    assert not factors.is_prime(hostile.prime(bits) - 2)


def test_the_primes_of_the_standard_are_what_they_should_be() -> None:
    # RFC 3526 3: the first and the last bytes of the 2048-bit group.
    text = f"{hostile.prime(2048):X}"
    assert text.startswith("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD1")
    assert text.endswith("15728E5A8AACAA68FFFFFFFFFFFFFFFF")


def test_every_small_prime_is_a_small_factor() -> None:
    big = modulus(2048)
    for prime in (2, 3, 5, 251, 257, 32749, 65519, 65521):
        assert factors.has_small_factor(big * prime)
    assert not factors.has_small_factor(big * 65537)


@pytest.mark.parametrize("k", [3, 5, 7, 11, 101])
def test_powers_are_seen(k: int) -> None:
    root = (1 << (2048 // k)) + 1
    assert factors.is_power(root**k)
    assert not factors.is_power(root**k + 2)


def test_fermats_method_goes_no_further_than_its_rounds() -> None:
    p = (1 << 1023) + 1155
    far = p + 2 * (1 << 513)
    n = p * far  # a - sqrt(n) is about (far - p)^2 / (8 sqrt(n)): past the first rounds
    rounds = next(r for r in range(1, 2000) if factors.has_close_primes(n, r))
    assert factors.has_close_primes(n, rounds)
    assert not factors.has_close_primes(n, rounds - 1)


def test_the_flawed_librarys_moduli_are_seen() -> None:
    assert roca.has_fingerprint(hostile.roca_modulus())
    assert roca.has_fingerprint(hostile.roca_modulus(4096))


def test_one_step_off_the_fingerprint_is_not_seen() -> None:
    assert not roca.has_fingerprint(hostile.roca_modulus() + 2)
