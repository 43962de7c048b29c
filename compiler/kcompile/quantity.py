"""Kubernetes resource quantities as Go reads and writes them.

Source: k8s.io/apimachinery ``pkg/api/resource``.
"""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(
    r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:[eE](?P<exponent>[+-]?\d{1,3})|(?P<binary>[KMGTPE])i|(?P<decimal>[numkMGTPE]))?",
    re.ASCII,
)
_BINARY = "KMGTPE"
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_NANO = 10**9
_MAX = 2**63 - 1
_KIBI = 1024


def canonical(value: object) -> str:
    """A quantity in its canonical spelling: ``1500m`` of 1.5, ``1Gi`` of 1024Mi, ``1k`` of 1000.

    Raises ValueError when it is none.
    """
    text = str(value)
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity")
    number = Fraction(match[2].rstrip(".") if match[2] != "." else "0")
    if match["exponent"]:
        number *= Fraction(10) ** int(match["exponent"])
    elif match["binary"]:
        number *= _KIBI ** (_BINARY.index(match["binary"]) + 1)
    elif match["decimal"]:
        number *= Fraction(1000) ** (_DECIMAL.index(match["decimal"]) - _DECIMAL.index(""))
    number = min(number, Fraction(_MAX))
    nanos = -(-number * _NANO // 1)  # what is finer than a nano is rounded up
    if not nanos:
        return "0"
    sign = "-" if match[1] == "-" else ""
    if match["binary"] and number.denominator == 1 and number >= _KIBI:
        return sign + _binary(int(number))
    return sign + _decimal(int(nanos), exponential=match["exponent"] is not None)


def _binary(number: int) -> str:
    power = 0
    while number % _KIBI == 0:
        number //= _KIBI
        power += 1
    return f"{number}{_BINARY[power - 1]}i" if power else str(number)


def _decimal(nanos: int, *, exponential: bool) -> str:
    power = 0
    while nanos % 1000 == 0 and power < len(_DECIMAL) - 1:
        nanos //= 1000
        power += 1
    exponent = 3 * (power - _DECIMAL.index(""))
    if exponential:
        return f"{nanos}e{exponent}" if exponent else str(nanos)
    return f"{nanos}{_DECIMAL[power]}"
