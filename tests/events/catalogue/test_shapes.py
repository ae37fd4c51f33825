"""Which documents may be nested too deeply is told from the bytes of a column."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from opportune.events.shapes import MOST_OPENINGS, is_deep

DOCUMENTS = st.lists(
    st.none()
    | st.text(alphabet='[{"é😀', max_size=120)
    | st.integers(80, 100).map(lambda count: "[" * count),
    max_size=6,
)


@given(chunks=st.lists(DOCUMENTS, min_size=1, max_size=3), skip=st.integers(0, 3))
def test_openings_are_counted_whatever_pieces_a_column_is_made_of(
    chunks: list[list[str | None]], skip: int
) -> None:
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks]).slice(skip)
    expected = [
        document is not None and document.count("[") + document.count("{") > MOST_OPENINGS
        for document in column.to_pylist()
    ]
    assert is_deep(column).to_pylist() == expected
