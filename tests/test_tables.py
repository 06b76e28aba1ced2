"""The pages of the docs that tests stand for are as the tests are."""

from __future__ import annotations

import pytest

from tests.tables import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_tests_say(name: str) -> None:
    written = (DOCS / name).read_text("utf-8")
    assert written == PAGES[name](), "write it anew: python -m tests.tables"
