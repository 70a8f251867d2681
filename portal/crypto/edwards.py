"""What may be an Ed25519 public key: arithmetic on public points, for checking keys only.

The library reads any 32 bytes as a key. It takes points of small order, for which anybody can write a
signature, and points that carry a part of small order, about which verifiers disagree. It offers no way to
ask, so the question is answered here in plain integers. Everything computed is public: timing gives nothing
away.

Sources: RFC 8032 5.1 (curve, decoding, constants) and 5.1.3 (canonical y, sign of zero). The addition and
doubling are the complete extended-coordinate formulas for a = -1 of Hisil, Wong, Carter and Dawson (2008).
"""

from functools import lru_cache

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

type Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""

_IDENTITY: Point = (0, 1, 1, 0)


@lru_cache(maxsize=4096)
def weakness(encoded: bytes) -> str | None:
    """Say why 32 bytes are no key to trust: a kebab-case code, or None for a sound one (about 1 ms, cached).

    ``key-length``, ``key-not-canonical`` (y not below the field's prime, or a negative zero),
    ``key-not-on-curve``, ``key-small-order`` (the point has order 1, 2, 4 or 8) or ``key-mixed-order`` (it is
    the sum of a sound point and one of small order). A key made as RFC 8032 says is a multiple of the base
    point and has none of these.
    """
    if len(encoded) != 32:
        return "key-length"
    number = int.from_bytes(encoded, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= _P:
        return "key-not-canonical"
    x = _x_of(y)
    if x is None:
        return "key-not-on-curve"
    if x == 0 and sign:
        return "key-not-canonical"
    if x & 1 != sign:
        x = _P - x
    return _order_weakness((x, y, 1, x * y % _P))


def _order_weakness(point: Point) -> str | None:
    if _is_identity(_times(8, point)):
        return "key-small-order"
    return None if _is_identity(_times(_ORDER, point)) else "key-mixed-order"


def _x_of(y: int) -> int | None:
    """One of the two x with -x² + y² = 1 + d·x²·y², or None when there is none."""
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == u:
        return x
    x = x * _SQRT_MINUS_ONE % _P
    return x if v * x * x % _P == u else None


def _times(scalar: int, point: Point) -> Point:
    result = _IDENTITY
    for bit in f"{scalar:b}":
        result = _double(result)
        if bit == "1":
            result = _add(result, point)
    return result


def _add(left: Point, right: Point) -> Point:
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * _D * t1 * t2 % _P, 2 * z1 * z2 % _P
    return _from_factors(b - a, d - c, d + c, b + a)


def _double(point: Point) -> Point:
    x, y, z, _ = point
    a, b = x * x % _P, y * y % _P
    h = a + b
    g = a - b
    return _from_factors(h - (x + y) ** 2, 2 * z * z + g, g, h)


def _from_factors(e: int, f: int, g: int, h: int) -> Point:
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _is_identity(point: Point) -> bool:
    x, y, z, _ = point
    return x % _P == 0 and (y - z) % _P == 0
