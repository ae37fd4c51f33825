"""The examples of the page on segments are segments, and mean what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from opportune.rules import words
from opportune.segments import parse_segment

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-segment.md"
EXAMPLE = re.compile(r"^```toml\n(.*?)^```\n(?:\n> ([^\n]*)\n)?", flags=re.DOTALL | re.MULTILINE)


def test_every_example_is_a_segment_that_reads_as_the_page_says() -> None:
    examples = EXAMPLE.findall(PAGE.read_text())
    said = []
    for text, _ in examples:
        problems: list[str] = []
        segment = parse_segment("example", tomllib.loads(text), problems)
        assert segment is not None, problems
        said.append(words(segment.rule))
    assert said == [sentence for _, sentence in examples]
    assert len(said) == 9
