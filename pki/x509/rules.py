"""The catalogue of rules: for each id the sentence a person reads and the source it comes from.

A refusal names one of these ids; ids are part of the API and are never given a new meaning. Sentences may
hold numbers and object identifiers, never text taken from the input: they are shown in pages and logs.
"""

from typing import NamedTuple

_OWN = "certificate policy of this portal"
_FIPS = "FIPS 186-5"


class Rule(NamedTuple):
    """``sentence`` is a format string over the facts of one finding, ``source`` where the limit is written."""

    sentence: str
    source: str


READING = {
    "request-empty": Rule("There is no request in the data.", "RFC 2986 4.2"),
    "request-size": Rule("The request is longer than {limit} bytes.", f"{_OWN}: an RSA-4096 request has about 1,700"),
    "request-pem": Rule("The PEM text is not exactly one well-formed CERTIFICATE REQUEST.", "RFC 7468 2, 7"),
    "request-structure": Rule("The data is no PKCS #10 request: {what}.", "RFC 2986 4"),
    "request-version": Rule("The version of the request is not 0.", "RFC 2986 4.1"),
    "der-truncated": Rule("An element at byte {at} is longer than what holds it.", "X.690 8.1.3"),
    "der-trailing": Rule("Bytes follow the end of the element at byte {at}.", "X.690 8.1"),
    "der-indefinite": Rule("The element at byte {at} has an indefinite length.", "X.690 10.1"),
    "der-tag": Rule("The tag at byte {at} is not one that this structure uses.", "X.690 8.1.2, 8.14"),
    "der-depth": Rule("Elements are nested deeper than {limit} levels.", f"{_OWN}: a request needs ten"),
    "der-count": Rule("There are more than {limit} elements.", f"{_OWN}: a request has about sixty"),
    "der-length": Rule("The length at byte {at} is not in its shortest form.", "X.690 10.1"),
    "der-constructed": Rule("The string at byte {at} is written in pieces.", "X.690 10.2"),
    "der-boolean": Rule("The BOOLEAN at byte {at} is neither 00 nor FF.", "X.690 11.1"),
    "der-integer": Rule("The INTEGER at byte {at} is not in its shortest form.", "X.690 8.3.2"),
    "der-bit-string": Rule("The BIT STRING at byte {at} has wrong or non-zero padding bits.", "X.690 11.2"),
    "der-null": Rule("The NULL at byte {at} is not empty.", "X.690 8.8.2"),
    "der-oid": Rule("The object identifier at byte {at} is not in its shortest form.", "X.690 8.19.2"),
    "der-string": Rule("The string at byte {at} has characters its type does not allow.", "X.680 41, X.690 8.23"),
    "der-time": Rule("The time at byte {at} is not written as YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ.", "X.690 11.7, 11.8"),
    "der-set-order": Rule("The members of the SET at byte {at} are not in order.", "X.690 11.6"),
    "der-default": Rule("The element at byte {at} writes out a default value.", "X.690 11.5"),
    "der-named-bits": Rule("The named bits at byte {at} end in zero bits.", "X.690 11.2.2"),
}

PROOF = {
    "signature-algorithm": Rule(
        "The request is signed with {oid}; SHA-256, SHA-384 or SHA-512 with RSA or ECDSA, or Ed25519 is taken.",
        "NIST SP 800-131A r2 3",
    ),
    "signature-parameters": Rule("The parameters of the signature algorithm are not as they must be.", "RFC 5754 3"),
    "signature-key-mismatch": Rule("The signature algorithm does not fit the key in the request.", "RFC 2986 4.2"),
    "signature-invalid": Rule(
        "The request is not signed by the key it carries: possession of the private key is not shown.",
        "RFC 2986 3; RFC 4211 4",
    ),
}

KEYS = {
    "key-structure": Rule("The public key cannot be read: {what}.", "RFC 5280 4.1.2.7"),
    "key-algorithm": Rule("Keys of the algorithm {oid} are not taken.", f"{_OWN}: RSA, EC P-256 and P-384, Ed25519"),
    "key-parameters": Rule(
        "The parameters of the key's algorithm are not as they must be.", "RFC 3279 2.3, RFC 8410 3"
    ),
    "key-not-in-profile": Rule("Keys of the kind {kind} are not taken by the profile {profile}.", _OWN),
    "rsa-size": Rule("The RSA modulus has {bits} bits; 2048, 3072 or 4096 are taken.", f"{_OWN}; {_FIPS} 5.1"),
    "rsa-exponent-even": Rule("The RSA exponent is even.", f"{_FIPS} A.1.1"),
    "rsa-exponent-small": Rule("The RSA exponent is below 65537.", f"{_FIPS} A.1.1"),
    "rsa-exponent-large": Rule("The RSA exponent is not below 2^256.", f"{_FIPS} A.1.1"),
    "rsa-exponent-unverifiable": Rule(
        "The RSA exponent is above 2^64 with more than 3072 bits of modulus: common libraries refuse to verify it.",
        "OpenSSL RSA_public_encrypt(3): OPENSSL_RSA_MAX_PUBEXP_BITS",
    ),
    "rsa-modulus-even": Rule("The RSA modulus is even.", f"{_FIPS} A.1.1"),
    "rsa-small-factor": Rule("A prime below 2^16 divides the RSA modulus.", "CA/B BR 6.1.6; NIST SP 800-89 5.3.3"),
    "rsa-close-primes": Rule(
        "The RSA modulus falls to Fermat's method in {rounds} rounds: its primes are too close.",
        f"CA/B BR 6.1.1.3; {_FIPS} A.1.3",
    ),
    "rsa-roca": Rule("The RSA modulus has the fingerprint of the ROCA flaw.", "CVE-2017-15361"),
    "rsa-modulus-prime": Rule(
        "The RSA modulus is a prime: anyone can sign for it.", f"{_FIPS} A.1.1; SP 800-56B 6.4.2"
    ),
    "rsa-modulus-power": Rule("The RSA modulus is a power of one number.", "NIST SP 800-56B r2 6.4.2.2"),
    "ec-curve": Rule("The curve is neither P-256 nor P-384.", f"{_OWN}; RFC 5480 2.1.1.1"),
    "ec-explicit-curve": Rule("The curve is not named but written out or inherited.", "RFC 5480 2.1.1"),
    "ec-point-form": Rule("The point is in hybrid or unknown form.", "RFC 5480 2.2"),
    "ec-point-at-infinity": Rule("The point at infinity is no public key.", "NIST SP 800-56A r3 5.6.2.3.3"),
    "ec-point-length": Rule("The point has not the length of its curve.", "SEC 1 2.3.4"),
    "ec-point-range": Rule("A coordinate is not below the prime of its field.", "NIST SP 800-56A r3 5.6.2.3.3"),
    "ec-point-not-on-curve": Rule("The point is not on its curve.", "NIST SP 800-56A r3 5.6.2.3.3"),
    "ed25519-length": Rule("An Ed25519 key has 32 bytes.", "RFC 8410 4"),
    "ed25519-not-canonical": Rule("The Ed25519 key is not in its one canonical form.", "RFC 8032 5.1.3"),
    "ed25519-not-on-curve": Rule("The Ed25519 key is no point of the curve.", "RFC 8032 5.1.3"),
    "ed25519-small-order": Rule("The Ed25519 key is of small order: anyone can sign for it.", "RFC 8032 5.1.7, 8.4"),
    "ed25519-mixed-order": Rule("The Ed25519 key is not in the group that honest keys come from.", "RFC 8032 5.1.5"),
}

NAMES = {
    "subject-count": Rule("The subject has more than {limit} attributes.", _OWN),
    "subject-string-type": Rule(
        "The subject attribute {oid} is of a string type no longer used.", "RFC 5280 4.1.2.4"
    ),
    "subject-length": Rule("The subject attribute {oid} is empty or longer than {limit} characters.", "RFC 5280 A.1"),
    "subject-characters": Rule("The subject attribute {oid} holds control characters.", f"{_OWN}; RFC 4518 2.2"),
    "subject-country": Rule("The country is not two capital letters.", "RFC 5280 A.1; ISO 3166-1"),
    "subject-cn-repeated": Rule("The subject has more than one common name.", f"{_OWN}: one name, one device"),
    "san-empty": Rule("The list of alternative names is empty.", "RFC 5280 4.2.1.6"),
    "san-count": Rule("There are more than {limit} alternative names.", _OWN),
    "san-kind": Rule(
        "An alternative name is of a kind that is not taken.", f"{_OWN}: DNS, e-mail, URI, IP, directory"
    ),
    "san-not-ia5": Rule(
        "An alternative name holds bytes outside of ASCII, or control characters.", "RFC 5280 4.2.1.6"
    ),
    "san-dns-syntax": Rule("An alternative dNSName is empty or no host name.", "RFC 5280 4.2.1.6; RFC 1123 2.1"),
    "san-email-syntax": Rule("An alternative rfc822Name is no mailbox.", "RFC 5280 4.2.1.6"),
    "san-uri-syntax": Rule("An alternative URI is not absolute.", "RFC 5280 4.2.1.6"),
    "san-ip-length": Rule("An alternative iPAddress has neither 4 nor 16 bytes.", "RFC 5280 4.2.1.6"),
}

ASKING = {
    "attribute-unknown": Rule("The request carries the attribute {oid}, which is not taken.", _OWN),
    "attribute-repeated": Rule("The attribute {oid} stands there twice, or not with one value.", "RFC 2985 5.4"),
    "attribute-value": Rule("The attribute {oid} is not a text of at most 255 characters.", "RFC 2985 5.4"),
    "extension-unknown": Rule("The request asks for the extension {oid}, which is not taken.", _OWN),
    "extension-repeated": Rule("The request asks for the extension {oid} twice.", "RFC 5280 4.2"),
    "extension-count": Rule("The request asks for an empty list of extensions or more than {limit}.", "RFC 5280 4.1"),
    "extension-value": Rule("The value of the extension {oid} cannot be read.", "RFC 5280 4.2.1"),
    "asks-ca": Rule("A certificate that may sign others is asked for.", f"{_OWN}; RFC 5280 4.2.1.9"),
    "asks-path-length": Rule("A path length is asked for a certificate that is no CA's.", "RFC 5280 4.2.1.9"),
    "asks-unknown": Rule("Something is asked for that has no known name: {oid}.", _OWN),
    "asks-no-use": Rule("The list of uses that is asked for is empty.", "RFC 5280 4.2.1.3, 4.2.1.12"),
    "asks-too-long": Rule("{days} days are asked for; the profile {profile} gives at most {limit}.", _OWN),
} | {
    f"asks-{word}": Rule(f"{word} is asked for, and the profile {{profile}} does not give it.", f"{_OWN}; {where}")
    for where, words in {
        "RFC 5280 4.2.1.3": (
            "digital-signature", "non-repudiation", "key-encipherment", "data-encipherment", "key-agreement",
            "key-cert-sign", "crl-sign", "encipher-only", "decipher-only",
        ),
        "RFC 5280 4.2.1.12": (
            "client-auth", "server-auth", "code-signing", "email-protection", "time-stamping", "ocsp-signing",
            "any-extended-key-usage",
        ),
    }.items()
    for word in words
}  # fmt: skip

REQUEST_RULES: dict[str, Rule] = READING | PROOF | KEYS | NAMES | ASKING

LINT_RULES: dict[str, Rule] = {
    "lint-structure": Rule("The certificate is no strict DER of the expected shape.", "RFC 5280 4.1"),
    "lint-version": Rule("The certificate is not of version 3.", "RFC 5280 4.1.2.1"),
    "lint-serial": Rule("The serial number is not the one that was reserved.", _OWN),
    "lint-serial-random": Rule("The serial is not positive, above 64 bits and within 20 octets.", "CA/B BR 7.1"),
    "lint-algorithm": Rule("The signature algorithm is not the one of the CA's key.", "RFC 5280 4.1.1.2, 4.1.2.3"),
    "lint-issuer": Rule("The issuer is not, byte by byte, the subject of the CA.", "RFC 5280 4.1.2.4, 7.1"),
    "lint-validity": Rule("The validity is not the one ordered, written as its years require.", "RFC 5280 4.1.2.5"),
    "lint-too-long": Rule("The certificate lives longer than its profile allows.", _OWN),
    "lint-outlives-issuer": Rule("The certificate outlives the CA that issues it.", f"{_OWN}; RFC 5280 6.1"),
    "lint-subject": Rule("The subject is not the registry's: country, organization, unit, common name.", _OWN),
    "lint-subject-text": Rule("A part of the subject is empty, too long, or has stray characters.", "RFC 5280 A.1"),
    "lint-country": Rule("The country is not two capital letters.", "RFC 5280 A.1; ISO 3166-1"),
    "lint-key": Rule("The public key is not the one that was checked.", _OWN),
    "lint-key-kind": Rule("The kind of the public key is not one of the profile.", _OWN),
    "lint-constraints": Rule("The basic constraints are not those of the profile.", "RFC 5280 4.2.1.9"),
    "lint-key-usage": Rule("The key usage is not what was granted.", "RFC 5280 4.2.1.3"),
    "lint-purposes": Rule("The extended key usage is not what was granted.", "RFC 5280 4.2.1.12"),
    "lint-subject-key": Rule("The subject key identifier is not the hash of the key.", "RFC 5280 4.2.1.2"),
    "lint-authority-key": Rule("The authority key identifier is not that of the CA.", "RFC 5280 4.2.1.1"),
    "lint-aia": Rule("The addresses of responder and issuer are not those of the CA.", "RFC 5280 4.2.2.1"),
    "lint-crl-points": Rule("The address of the revocation list is not that of the CA.", "RFC 5280 4.2.1.13"),
    "lint-no-check": Rule("A responder's certificate lacks id-pkix-ocsp-nocheck.", "RFC 6960 4.2.2.2.1"),
    "lint-extension-twice": Rule("An extension stands twice.", "RFC 5280 4.2"),
    "lint-extension-more": Rule("There is an extension that the profile does not have.", _OWN),
    "lint-critical": Rule("An extension is critical that must not be, or the other way round.", "RFC 5280 4.2.1"),
    "lint-names": Rule("The alternative names are not those of the registry.", "RFC 5280 4.2.1.6"),
    "lint-names-missing": Rule("Alternative names are wanted and there are none.", "RFC 9525 6.3"),
    "lint-name-kind": Rule("An alternative name is of a kind the profile does not have.", _OWN),
    "lint-name-host": Rule("An alternative dNSName has more than letters, digits, hyphens.", "RFC 5280 4.2.1.6"),
    "lint-name-zone": Rule("An alternative dNSName is not under the bank's own zone.", _OWN),
    "lint-name-uri": Rule("An alternative URI is no plain https address.", _OWN),
    "lint-issuer-urls": Rule("An address of the CA is no plain http URL.", "RFC 5280 4.2.2.1; RFC 5280 8"),
    "lint-unbuildable": Rule("What was ordered cannot be written into a certificate.", "RFC 5280 4.1"),
    "lint-signature": Rule("The signature does not hold under the CA's key.", "RFC 5280 6.1.3"),
}  # fmt: skip
