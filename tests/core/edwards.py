"""Ed25519's curve in plain arithmetic (RFC 8032 §5.1), to find the points that must be refused."""

from __future__ import annotations

from functools import cache

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, P - 2, P) % P
_ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    product = _D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P)
    return x % P, y % P


def times(number: int, point: Point) -> Point:
    total = IDENTITY
    while number:
        if number & 1:
            total = add(total, point)
        point = add(point, point)
        number >>= 1
    return total


def roots(y: int) -> set[int]:
    """Return every x for which (x, y) is a point of the curve."""
    square = (y * y - 1) * pow(_D * y * y + 1, P - 2, P) % P
    root = pow(square, (P + 3) // 8, P)
    candidates = {root, root * _ROOT_OF_MINUS_1 % P}
    return {x for c in candidates for x in (c, -c % P) if x * x % P == square}


@cache
def small_order_points() -> frozenset[Point]:
    """Return the points whose order divides 8."""
    y = 2
    while True:
        for x in roots(y):
            # Times the prime order, a point keeps only its part of small order.
            small = times(ORDER, (x, y))
            if times(4, small) != IDENTITY:
                return frozenset(times(number, small) for number in range(8))
        y += 1


def encoded(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def encoded_point(point: Point) -> bytes:
    return encoded(point[1], point[0] & 1)
