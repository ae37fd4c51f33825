from __future__ import annotations

from collections.abc import Callable

from opportune.policies.compiled import compiled


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same() -> None:
    names: dict[str, Callable[[int], int]] = {}
    exec(compile("def double(x):\n    return 2 * x\n", "<nowhere>", "exec"), names)
    assert compiled(names["double"])(21) == 42
