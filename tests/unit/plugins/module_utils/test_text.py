# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside becomes one line that a terminal can show."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.text import one_line


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_whatever_comes_in_one_printable_line_of_the_right_length_comes_out(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    assert line == line.strip()


@given(st.text(alphabet=st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=200))
def test_plain_words_come_out_as_they_are(text: str) -> None:
    assert one_line(text) == text


def test_a_cut_is_shown() -> None:
    assert one_line("abcdef", 4) == "abc…"
