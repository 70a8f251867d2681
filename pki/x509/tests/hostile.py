"""Requests that must be refused, made by code: each with the rules it must be refused by.

A rule in the expectation must be among the findings; others may be there too.
"""

import random
from collections.abc import Iterator
from functools import cache

from pki.x509 import der
from pki.x509.tests import makers
from pki.x509.tests.makers import asking, attribute, extension, raw_request, rdn

type Case = tuple[str, bytes, set[str]]

P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
SAN, KEY_USAGE, PURPOSES, CONSTRAINTS = "2.5.29.17", "2.5.29.15", "2.5.29.37", "2.5.29.19"


def rfc3526_prime(bits: int, addend: int) -> int:
    """The MODP primes of RFC 3526: 2^n - 2^(n-64) - 1 + 2^64 · ([2^(n-130) · π] + addend)."""
    top: int = (1 << bits) - (1 << (bits - 64)) - 1
    return top + (_pi_times(1 << (bits - 130)) + addend << 64)


@cache
def _pi_times(scale: int) -> int:
    guard = 1 << 64
    one = scale * guard

    def arctan_of_inverse(x: int) -> int:
        total = term = one // x
        n, sign = 3, -1
        while term := term // (x * x):
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) // guard  # Machin's formula


PRIMES = {2048: (124476,), 3072: (1690314,), 4096: (240904,)}  # RFC 3526 3, 4, 5


def prime(bits: int) -> int:
    return rfc3526_prime(bits, *PRIMES[bits])


def roca_modulus(bits: int = 2048) -> int:
    """A modulus with the fingerprint: both factors are powers of 65537 modulo M. (They need not be primes.)"""
    m = 1
    for n in range(2, 168):
        if all(n % d for d in range(2, n)):
            m *= n
    source = random.Random(7)
    while True:
        halves = [
            source.getrandbits(bits // 2 - m.bit_length() + 1) * m + pow(65537, source.getrandbits(64), m)
            for _ in "pq"
        ]
        n = halves[0] * halves[1]
        if n.bit_length() == bits:
            return n


def close_primes_modulus() -> int:
    """Two factors that differ in their lowest bits only. Fermat's method does not ask whether they are primes."""
    p = prime(2048) >> 1024 | 1 | 1 << 1023
    for step in range(2, 5000, 2):
        n = p * (p + step)
        if n.bit_length() == 2048 and all(n % small for small in range(3, 1 << 16, 2)):
            return n
    raise AssertionError


def no_small_factor(number: int) -> int:
    number |= 1
    while any(number % small == 0 for small in range(3, 1 << 16, 2)):
        number += 2
    return number


def named(key: str, spki: bytes, *rules: str) -> Case:
    """A key that nobody holds: the signature is another's, which is no finding while no key was read."""
    return key, raw_request(spki=spki), set(rules)


def rsa_cases() -> Iterator[Case]:
    n = makers.modulus("rsa-2048")
    for bits in (512, 1024, 2047, 2049, 8192):
        yield named(f"rsa {bits}", makers.rsa_spki(1 << (bits - 1) | 1), "rsa-size")
    yield named("rsa 16384 with a wide exponent", makers.rsa_spki(1 << 16383 | 1, 1 << 8000 | 1), "rsa-size")
    for e, rule in ((1, "small"), (2, "even"), (3, "small"), (17, "small"), (65535, "small"), (65538, "even")):
        yield named(f"rsa exponent {e}", makers.rsa_spki(n, e), f"rsa-exponent-{rule}")
    yield named("rsa exponent of 257 bits", makers.rsa_spki(n, 1 << 256 | 1), "rsa-exponent-large")
    yield named("rsa exponent of all bits", makers.rsa_spki(n, n - 2), "rsa-exponent-large")
    wide = makers.rsa_spki(no_small_factor(3 << 4094), 1 << 65 | 1)
    yield named("rsa exponent that is not verified", wide, "rsa-exponent-unverifiable")
    yield named("rsa even", makers.rsa_spki(n - 1), "rsa-modulus-even")
    yield named("rsa divisible by 3", makers.rsa_spki(3 * ((1 << 2047) // 3 + 2 | 1)), "rsa-small-factor")
    yield named("rsa divisible by 65521", makers.rsa_spki(65521 * ((1 << 2047) // 65521 + 2 | 1)), "rsa-small-factor")
    yield named("rsa close primes", makers.rsa_spki(close_primes_modulus()), "rsa-close-primes")
    root = no_small_factor(prime(2048) >> 1024)
    yield named("rsa square", makers.rsa_spki(root * root), "rsa-close-primes")
    yield named("rsa cube", makers.rsa_spki(no_small_factor(3 << 681) ** 3), "rsa-modulus-power")
    for bits in PRIMES:
        yield named(f"rsa prime {bits}", makers.rsa_spki(prime(bits)), "rsa-modulus-prime")
    yield named("rsa roca", makers.rsa_spki(roca_modulus()), "rsa-roca")
    zero = der.sequence([der.encode_integer(0), der.encode_integer(65537)])
    yield named("rsa zero", _rsa_bits(zero), "key-structure")
    negative = der.sequence([der.encode(der.INTEGER, b"\x80" + b"\1" * 255), der.encode_integer(65537)])
    yield named("rsa negative", _rsa_bits(negative), "key-structure")
    padded = der.sequence([der.encode(der.INTEGER, b"\0\0" + n.to_bytes(256)), der.encode_integer(65537)])
    yield named("rsa padded number", _rsa_bits(padded), "der-integer")
    yield named("rsa key in pieces", _rsa_bits(b"\x30\x03\x02\x01"), "key-structure")
    yield named("rsa with bytes behind", _rsa_bits(makers.rsa_spki(n)[24:] + b"\0"), "key-structure")
    no_null = makers.rsa_spki(n).replace(b"\x05\x00\x03", b"\x30\x00\x03")
    yield named("rsa with other parameters", no_null, "key-parameters")


def _rsa_bits(bits: bytes) -> bytes:
    algorithm = der.sequence([der.encode(der.OID, der.encode_oid("1.2.840.113549.1.1.1")), b"\x05\x00"])
    return der.sequence([algorithm, der.encode(der.BIT_STRING, b"\0" + bits)])


def ec_cases() -> Iterator[Case]:
    numbers = makers.private("p256").public_key().public_numbers()  # type: ignore[union-attr]
    x, y = numbers.x.to_bytes(32), numbers.y.to_bytes(32)  # type: ignore[union-attr]
    yield named("ec infinity", makers.ec_spki(b"\0"), "ec-point-at-infinity")
    for form in (b"\x06", b"\x07"):
        yield named(f"ec hybrid {form.hex()}", makers.ec_spki(form + x + y), "ec-point-form")
    yield named("ec form 05", makers.ec_spki(b"\x05" + x + y), "ec-point-form")
    yield named("ec empty", makers.ec_spki(b""), "ec-point-form")
    yield named("ec short", makers.ec_spki(b"\x04" + x + y[:-1]), "ec-point-length")
    yield named("ec compressed long", makers.ec_spki(b"\x02" + x + y), "ec-point-length")
    yield named("ec off the curve", makers.ec_spki(b"\x04" + x + bytes([y[0] ^ 1]) + y[1:]), "ec-point-not-on-curve")
    yield named("ec origin", makers.ec_spki(b"\x04" + bytes(64)), "ec-point-not-on-curve")
    yield named("ec coordinate of the prime", makers.ec_spki(b"\x04" + P256.to_bytes(32) + y), "ec-point-range")
    yield named("ec compressed off the curve", makers.ec_spki(b"\x02" + _no_x()), "ec-point-not-on-curve")
    for name, curve in {
        "secp256k1": "1.3.132.0.10", "P-224": "1.3.132.0.33", "P-521": "1.3.132.0.35",
        "brainpool": "1.3.36.3.3.2.8.1.1.7", "SM2": "1.2.156.10197.1.301",
    }.items():  # fmt: skip
        yield named(f"ec {name}", makers.ec_spki(b"\x04" + x + y, curve), "ec-curve")
    ec_oid = der.encode(der.OID, der.encode_oid("1.2.840.10045.2.1"))
    for name, parameters in {"written out": der.sequence([b"\x02\x01\x01"]), "inherited": b"\x05\x00"}.items():
        algorithm = der.sequence([ec_oid, parameters])
        spki = der.sequence([algorithm, der.encode(der.BIT_STRING, b"\0\x04" + x + y)])
        yield named(f"ec {name}", spki, "ec-explicit-curve")


def _no_x() -> bytes:
    """An x for which the curve has no point (Euler's criterion)."""
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = next(x for x in range(1, 99) if pow(x**3 - 3 * x + b, (P256 - 1) // 2, P256) == P256 - 1)
    return x.to_bytes(32)


def other_key_cases() -> Iterator[Case]:
    edwards = 2**255 - 19
    for name, number, rule in (
        ("zeros", 0, "small-order"), ("identity", 1, "small-order"), ("order 2", edwards - 1, "small-order"),
        ("not reduced", edwards, "not-canonical"), ("all ones", 2**256 - 1, "not-canonical"),
        ("off the curve", 2, "not-on-curve"),
    ):  # fmt: skip
        yield named(f"ed25519 {name}", makers.ed25519_spki(number.to_bytes(32, "little")), f"ed25519-{rule}")
    yield named("ed25519 short", makers.ed25519_spki(bytes(31)), "ed25519-length")
    good = makers.private("ed25519").public_key().public_bytes_raw()  # type: ignore[union-attr]
    with_null = (
        makers.ed25519_spki(good)
        .replace(b"\x30\x05\x06\x03", b"\x30\x07\x06\x03")
        .replace(b"\x65\x70\x03", b"\x65\x70\x05\x00\x03")
    )
    fixed = der.sequence([with_null[2:11], with_null[11:]])
    yield "ed25519 with parameters", raw_request(makers.private("ed25519"), spki=fixed), {"key-parameters"}
    for name, oid in {
        "ed448": "1.3.101.113", "x25519": "1.3.101.110", "dsa": "1.2.840.10040.4.1", "dh": "1.2.840.10046.2.1",
        "rsa-pss": "1.2.840.113549.1.1.10", "ml-dsa": "2.16.840.1.101.3.4.3.18", "nothing known": "1.2.3.4.5",
    }.items():  # fmt: skip
        algorithm = der.sequence([der.encode(der.OID, der.encode_oid(oid))])
        spki = der.sequence([algorithm, der.encode(der.BIT_STRING, b"\0" + bytes(32))])
        yield named(name, spki, "key-algorithm")
    yield named("an empty key", der.sequence([]), "key-structure")
    bit_string = der.encode(der.BIT_STRING, b"\1" + bytes(32))
    odd_bits = der.sequence([der.sequence([der.encode(der.OID, der.encode_oid("1.3.101.112"))]), bit_string])
    yield named("a key of odd bits", odd_bits, "key-structure")


def proof_cases() -> Iterator[Case]:
    key, other = makers.private("p256"), makers.private("p256", 1)
    yield "another's key", raw_request(other, spki=makers.spki_of(key)), {"signature-invalid"}
    yield "no signature", raw_request(key, signature=b""), {"signature-invalid"}
    yield "zeros", raw_request(key, signature=bytes(64)), {"signature-invalid"}
    yield "r and s of zero", raw_request(key, signature=b"\x30\x06\x02\x01\x00\x02\x01\x00"), {"signature-invalid"}
    yield "raw r and s", raw_request(key, signature=b"\1" * 64), {"signature-invalid"}
    changed = bytearray(raw_request(key))
    changed[changed.index(b"Bank")] ^= 1
    yield "a changed subject", bytes(changed), {"signature-invalid"}
    for name, oid in {
        "sha-1 ecdsa": "1.2.840.10045.4.1", "sha-224 ecdsa": "1.2.840.10045.4.3.1", "md5 rsa": "1.2.840.113549.1.1.4",
        "sha-1 rsa": "1.2.840.113549.1.1.5", "pss": "1.2.840.113549.1.1.10", "nothing known": "1.2.3",
    }.items():  # fmt: skip
        yield (
            name,
            raw_request(key, algorithm=der.sequence([der.encode(der.OID, der.encode_oid(oid))])),
            {"signature-algorithm"},
        )
    yield (
        "rsa's algorithm",
        raw_request(key, algorithm=makers.algorithm_of(makers.private("rsa-2048"))),
        {"signature-key-mismatch"},
    )
    with_null = der.sequence([der.encode(der.OID, der.encode_oid("1.2.840.10045.4.3.2")), b"\x05\x00"])
    yield "ecdsa with NULL", raw_request(key, algorithm=with_null), {"signature-parameters"}
    yield "no algorithm", raw_request(key, algorithm=der.sequence([])), {"request-structure"}


def name_cases() -> Iterator[Case]:
    def subject(*parts: bytes) -> bytes:
        return raw_request(subject=der.sequence(parts))

    cn = "2.5.4.3"
    yield "two common names", subject(rdn(cn, "a"), rdn(cn, "b")), {"subject-cn-repeated"}
    yield "an empty name", subject(rdn(cn, "")), {"subject-length"}
    yield "a long name", subject(rdn(cn, "x" * 65)), {"subject-length"}
    yield "a NUL", subject(rdn(cn, "DEV\0.evil")), {"subject-characters"}
    yield "a newline", subject(rdn(cn, "a\nb")), {"subject-characters"}
    yield "right-to-left", subject(rdn(cn, "a\u202eb")), {"subject-characters"}
    yield "teletex", subject(rdn(cn, b"caf\xe9", der.TELETEX)), {"subject-string-type"}
    yield "bmp", subject(rdn(cn, "a".encode("utf-16-be"), der.BMP)), {"subject-string-type"}
    yield "an integer", subject(rdn(cn, b"\1", der.INTEGER)), {"subject-string-type"}
    yield "broken utf-8", subject(rdn(cn, b"\xff\xfe")), {"der-string"}
    yield "a star in PrintableString", subject(rdn(cn, b"a*b", der.PRINTABLE)), {"der-string"}
    yield "a long country", subject(rdn("2.5.4.6", "NGA", der.PRINTABLE)), {"subject-country"}
    yield "many attributes", subject(*(rdn("2.5.4.11", f"u{n}") for n in range(21))), {"subject-count"}
    yield "an empty set", subject(der.encode(der.SET, b"")), {"request-structure"}
    yield "no name", raw_request(subject=der.sequence([b"\x02\x01\x00"])), {"request-structure"}


def alternative_cases() -> Iterator[Case]:
    def names(*parts: bytes) -> bytes:
        return raw_request(attributes=[asking(extension(SAN, der.sequence(parts)))])

    for name, text in {
        "empty": b"", "blank": b" ", "dot": b".", "two dots": b"a..b", "hyphen first": b"-a.b", "space": b"a b",
        "long label": b"a" * 64 + b".b", "long name": b"abcdefgh." * 29, "slash": b"a/b", "trailing dot": b"a.b.",
    }.items():  # fmt: skip
        yield f"dns {name}", names(der.encode(0x82, text)), {"san-dns-syntax"}
    for name, text in {"umlaut": "bänk.example".encode(), "nul": b"a\0.example", "latin-1": b"b\xe4nk"}.items():
        yield f"dns {name}", names(der.encode(0x82, text)), {"san-not-ia5"}
    for size in (0, 3, 5, 8, 15, 17, 32):
        yield f"ip of {size}", names(der.encode(0x87, bytes(size))), {"san-ip-length"}
    yield "no names", names(), {"san-empty"}
    yield "many names", names(*(der.encode(0x82, b"a%d.b" % n) for n in range(21))), {"san-count"}
    yield "relative uri", names(der.encode(0x86, b"/x")), {"san-uri-syntax"}
    yield "uri with space", names(der.encode(0x86, b"https://a b")), {"san-uri-syntax"}
    yield "mail without host", names(der.encode(0x81, b"me")), {"san-email-syntax"}
    other = der.sequence([der.encode(der.OID, b"\x2a"), der.encode(0xA0, der.encode(der.UTF8, b"u"))])[2:]
    yield "other name", names(der.encode(0xA0, other)), {"san-kind"}
    yield "registered id", names(der.encode(0x88, b"\x2a")), {"san-kind"}
    yield "no kind", names(der.encode(der.UTF8, b"a.b")), {"san-kind"}
    yield "an octet string", raw_request(attributes=[asking(extension(SAN, b"\x04\x00"))]), {"extension-value"}


def asking_cases() -> Iterator[Case]:
    def asks(*extensions: bytes) -> bytes:
        return raw_request(attributes=[asking(*extensions)])

    uses = ["digital-signature", "non-repudiation", "key-encipherment", "data-encipherment", "key-agreement",
            "key-cert-sign", "crl-sign", "encipher-only"]  # fmt: skip
    for number, word in list(enumerate(uses))[1:]:
        yield word, asks(extension(KEY_USAGE, bytes((3, 2, 7 - number, 0x80 >> number)))), {f"asks-{word}"}
    yield "decipher-only", asks(extension(KEY_USAGE, b"\x03\x03\x07\x00\x80")), {"asks-decipher-only"}
    yield "no use", asks(extension(KEY_USAGE, b"\x03\x01\x00")), {"asks-no-use"}
    yield "a use after the last", asks(extension(KEY_USAGE, b"\x03\x03\x06\x00\x40")), {"extension-value"}
    yield "use with zero bits", asks(extension(KEY_USAGE, b"\x03\x02\x00\x80")), {"der-named-bits"}
    for word, oid in {
        "server-auth": "1.3.6.1.5.5.7.3.1", "code-signing": "1.3.6.1.5.5.7.3.3",
        "email-protection": "1.3.6.1.5.5.7.3.4", "time-stamping": "1.3.6.1.5.5.7.3.8",
        "ocsp-signing": "1.3.6.1.5.5.7.3.9", "any-extended-key-usage": "2.5.29.37.0",
        "unknown": "1.3.6.1.4.1.311.20.2.2",
    }.items():  # fmt: skip
        value = der.sequence([der.encode(der.OID, der.encode_oid(oid))])
        yield word, asks(extension(PURPOSES, value)), {f"asks-{word}"}
    yield "no purpose", asks(extension(PURPOSES, der.sequence([]))), {"asks-no-use"}
    yield "a ca", asks(extension(CONSTRAINTS, der.sequence([b"\x01\x01\xff"]))), {"asks-ca"}
    yield (
        "a ca with path",
        asks(extension(CONSTRAINTS, der.sequence([b"\x01\x01\xff", b"\x02\x01\x00"]))),
        {"asks-ca"},
    )
    yield "a path alone", asks(extension(CONSTRAINTS, der.sequence([b"\x02\x01\x00"]))), {"asks-path-length"}
    yield "no ca, written out", asks(extension(CONSTRAINTS, der.sequence([b"\x01\x01\x00"]))), {"der-default"}
    yield "boolean of one", asks(extension(CONSTRAINTS, der.sequence([b"\x01\x01\x01"]))), {"der-boolean"}
    for name, oid in {
        "name constraints": "2.5.29.30", "policies": "2.5.29.32", "authority key": "2.5.29.35",
        "information access": "1.3.6.1.5.5.7.1.1", "no check": "1.3.6.1.5.5.7.48.1.5", "private": "1.2.3.4",
    }.items():  # fmt: skip
        yield name, asks(extension(oid, b"\x05\x00")), {"extension-unknown"}
    yield (
        "twice",
        asks(extension(KEY_USAGE, b"\x03\x02\x07\x80"), extension(KEY_USAGE, b"\x03\x02\x07\x80")),
        {"extension-repeated"},
    )
    yield "none", asks(), {"extension-count"}
    yield "many", asks(*(extension(f"1.2.3.{n}", b"\x05\x00") for n in range(11))), {"extension-count"}
    yield "garbage inside", asks(extension(SAN, b"\xff\xff\xff")), {"extension-value"}
    yield "critical false", asks(extension(SAN, b"\x30\x00").replace(b"\x55\x1d\x11", b"\x55\x1d\x11")), {"san-empty"}
    false = der.sequence(
        [der.encode(der.OID, der.encode_oid(KEY_USAGE)), b"\x01\x01\x00", b"\x04\x04\x03\x02\x07\x80"]
    )
    yield "critical, written out as false", asks(false), {"der-default"}
    yield "no extension", asks(b"\x05\x00"), {"request-structure"}
    good = asking(extension(KEY_USAGE, b"\x03\x02\x07\x80"))
    yield "the attribute twice", raw_request(attributes=[good, good]), {"attribute-repeated"}
    two = attribute("1.2.840.113549.1.9.14", *[der.sequence([extension(KEY_USAGE, b"\x03\x02\x07\x80")])] * 2)
    yield "two values", raw_request(attributes=[two]), {"attribute-repeated"}
    yield "another attribute", raw_request(attributes=[attribute("1.2.3.4", b"\x05\x00")]), {"attribute-unknown"}
    password = attribute("1.2.840.113549.1.9.7", der.encode(der.UTF8, b"x" * 256))
    yield "a long password", raw_request(attributes=[password]), {"attribute-value"}
    yield (
        "many attributes",
        raw_request(attributes=[attribute(f"1.2.3.{n}", b"\x05\x00") for n in range(7)]),
        {"request-structure"},
    )
    disordered = [attribute("1.2.840.113549.1.9.7", der.encode(der.UTF8, b"x")), attribute("1.2.3", b"\x05\x00")]
    yield "attributes out of order", raw_request(attributes=disordered), {"der-set-order"}


def encoding_cases() -> Iterator[Case]:
    good = raw_request()
    body = good[4:] if good[1] == 0x82 else good[3:]
    yield "nothing", b"", {"request-empty"}
    yield "white space", b" \n\t ", {"request-empty"}
    yield "one byte", b"\x30", {"der-truncated"}
    yield "empty sequence", b"\x30\x00", {"request-structure"}
    yield "bytes behind", good + b"\0", {"der-trailing"}
    yield "cut", good[:-1], {"der-truncated"}
    yield "indefinite", b"\x30\x80" + body + b"\0\0", {"der-indefinite"}
    yield "long length", b"\x30\x84" + len(body).to_bytes(4) + body, {"der-length"}
    yield "length of 2^63", b"\x30\x88" + b"\x7f" + b"\xff" * 7 + body, {"der-truncated"}
    yield "length of 126 bytes", b"\x30\xfe" + b"\xff" * 126, {"der-truncated"}
    yield "deep", _nested(2000), {"der-depth"}
    yield "wide", der.encode(der.SEQUENCE, b"\x05\x00" * 3000), {"der-count"}
    yield "large", der.encode(der.SEQUENCE, bytes(8192)), {"request-size"}
    yield "a megabyte", b"\x30" * (1 << 20), {"request-size"}
    yield "a megabyte of dashes", b"-" * (1 << 20), {"request-size"}
    yield "text", b"hello", {"request-pem"}
    yield "high tag", b"\x30\x02\x1f\x00", {"der-tag"}
    yield "unknown universal tag", b"\x30\x02\x0f\x00", {"der-tag"}
    yield "primitive sequence", b"\x30\x02\x10\x00", {"der-tag"}
    yield "string in pieces", der.sequence([b"\x24\x02\x04\x00"]), {"der-constructed"}
    yield "padded integer", der.sequence([b"\x02\x02\x00\x01"]), {"der-integer"}
    yield "empty integer", der.sequence([b"\x02\x00"]), {"der-integer"}
    yield "padding bits", der.sequence([b"\x03\x02\x04\xff"]), {"der-bit-string"}
    yield "nine padding bits", der.sequence([b"\x03\x02\x09\x00"]), {"der-bit-string"}
    yield "full null", der.sequence([b"\x05\x01\x00"]), {"der-null"}
    yield "padded oid", der.sequence([b"\x06\x03\x2a\x80\x01"]), {"der-oid"}
    yield "cut oid", der.sequence([b"\x06\x02\x2a\x81"]), {"der-oid"}
    yield "time", der.sequence([b"\x17\x0b2412011430Z"]), {"der-time"}
    yield "set order", der.sequence([der.encode(der.SET, b"\x02\x01\x02\x02\x01\x01")]), {"der-set-order"}
    yield "version 1", raw_request(version=b"\x02\x01\x01"), {"request-version"}
    yield "no attributes", _without_attributes(), {"request-structure"}
    yield "a certificate", makers.authority().issuing.der, {"request-structure"}
    for name, text in {
        "label": b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "no end": b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n",
        "other end": b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END NEW CERTIFICATE REQUEST-----\n",
        "two": b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n" * 2,
        "headers": b"-----BEGIN CERTIFICATE REQUEST-----\nA: b\n\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
        "padding": b"-----BEGIN CERTIFICATE REQUEST-----\nMAA\n-----END CERTIFICATE REQUEST-----\n",
        "text before": b"x -----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n",
    }.items():
        yield f"pem {name}", text, {"request-pem"}


def _nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = der.sequence([data])
    return data


def _without_attributes() -> bytes:
    key = makers.private("p256")
    body = der.sequence([b"\x02\x01\x00", makers.SUBJECT, makers.spki_of(key)])
    signature = der.encode(der.BIT_STRING, b"\0" + makers.sign(key, body))
    return der.sequence([body, makers.algorithm_of(key), signature])


@cache
def corpus() -> tuple[Case, ...]:
    groups = {
        "rsa": rsa_cases, "ec": ec_cases, "key": other_key_cases, "proof": proof_cases, "name": name_cases,
        "san": alternative_cases, "asks": asking_cases, "encoding": encoding_cases,
    }  # fmt: skip
    return tuple(
        (f"{group}: {name}", data, rules) for group, cases in groups.items() for name, data, rules in cases()
    )


def unchanged() -> bytes:
    """The good request that `mutations` starts from."""
    return raw_request(attributes=[asking(extension(SAN, der.sequence([der.encode(0x82, b"a.example")])))])


def mutations(good: bytes, count: int) -> Iterator[bytes]:
    """A request with bytes changed, cut, put in and doubled; always in the same way."""
    source = random.Random(7)
    for _ in range(count):
        data = bytearray(good)
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(data))
            match source.randrange(4):
                case 0:
                    data[at] = source.randrange(256)
                case 1:
                    del data[at : at + source.randint(1, 8)]
                case 2:
                    data[at:at] = source.randbytes(source.randint(1, 8))
                case _:
                    data[at:at] = data[at : at + source.randint(1, 40)]
        yield bytes(data)
