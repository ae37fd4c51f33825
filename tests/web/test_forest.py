"""The lifts of several use cases share one axis."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from opportune.reports import Performance
from opportune.web.forest import forest


def made(title: str, low: float | None, lift: float, high: float | None) -> Performance:
    found = SimpleNamespace(relative=lift, low=low, high=high)
    return cast(Performance, SimpleNamespace(title=title, lift=found))


def test_without_an_interval_nothing_is_drawn() -> None:
    assert forest([made("A", None, 0.0, None)]) == ""


def test_every_interval_lies_on_the_same_axis_and_far_ones_end_at_its_edge() -> None:
    drawn = str(forest([made("A <b>", -0.5, 0.5, 9.0), made("B" * 40, 0.1, 0.2, 0.3)]))
    assert drawn.count('<circle class="point"') == 2
    # From -0.5 to +2: no difference lies a fifth from the left edge of 256, wide 448.
    assert 'class="zero" x1="345.6"' in drawn
    assert 'x1="256.0" x2="704.0"' in drawn
    assert "A &lt;b&gt;: +50.0 %, between -50.0 % and +900.0 %" in drawn
    assert f"{'B' * 29}…" in drawn
