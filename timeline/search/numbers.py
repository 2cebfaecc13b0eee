"""Numbers as text that sorts as they do.

In: any number of Python. Out: hexadecimal digits of its double. Not here: how tokens and
ranges are made of them.
"""

from __future__ import annotations

import math
import struct

_pack = struct.Struct(">d").pack
_RAISED = {f"{digit:x}": f"{digit | 8:x}" for digit in range(8)}


def ordered(number: float) -> str:
    """16 hex digits that sort as the numbers do: those of the double, with the sign turned."""
    digits = _pack(number or 0.0).hex()  # -0.0 is 0.0
    raised = _RAISED.get(digits[0])
    return raised + digits[1:] if raised else f"{int(digits, 16) ^ 0xFFFFFFFFFFFFFFFF:016x}"


def as_double(number: float) -> float | None:
    """The double nearest to the number; ``None`` where it has no place in the order."""
    try:
        value = float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    return None if math.isnan(value) else value
