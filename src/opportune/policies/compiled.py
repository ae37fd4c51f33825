"""Turn an array function into machine code.

The only file that knows the compiler. Functions that it compiles live in files of their own
(`search`, `tally`), which are imported when first needed: the compiler takes half a second to
import, and the first call on a machine some seconds to compile; the result is kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compiled", "inlined"]

Compiled = TypeVar("Compiled", bound=Callable[..., object])


def compiled(function: Compiled) -> Compiled:
    """The same function as machine code that other threads run beside.

    Kept beside the source, or in the user's cache; where neither can be written it is compiled
    again in every process. A product and a sum may be rounded once instead of twice; sums keep
    their order.
    """
    try:
        return _compile(function, cache=True)
    except RuntimeError:
        return _compile(function, cache=False)


def inlined(function: Compiled) -> Compiled:
    """A part of a compiled function: it becomes part of its callers."""
    decorate = numba.njit(nogil=True, error_model="numpy", forceinline=True)
    return cast("Compiled", decorate(function))


def _compile(function: Compiled, *, cache: bool) -> Compiled:
    decorate = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=cache)
    return cast("Compiled", decorate(function))
