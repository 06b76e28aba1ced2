"""Reprs: what they say, of whatever is named how, and that they ask nobody."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array import DvidArray, display
from dvid_array.box import Box
from dvid_array.client.masks import Body
from dvid_array.client.regions import Region
from dvid_array.protocol import spans
from tests import offline

NASTY = "<script>alert('&')</script>\n\t\"x\"\x1b[31m"


class Table(HTMLParser):
    """Tags and texts of a table, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag in ("caption", "th", "td"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data


@pytest.mark.parametrize("power", range(7))
def test_sizes_for_people(power: int) -> None:
    unit = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")[power]
    assert display.size(1024**power) == f"1 {unit}"
    assert display.size(1536 * 1024**power) == display.size(1.5 * 1024 ** (power + 1))
    assert display.size(1000 * 1024**power) == f"1000 {unit}"


def test_sizes_at_the_ends() -> None:
    assert display.size(0) == "0 B"
    assert display.size(1536) == "1.5 KiB"
    assert display.size(2**90) == "1.074e+09 EiB"


def region(name: str) -> Region:
    return Region(name, (32, 32, 32), spans.checked(np.empty((0, 4), np.int64)))


SAID: list[tuple[dict[str, Any], dict[str, str]]] = [
    (
        {},
        {
            "shape": "1 channel(s), x y z (100, 200, 300)",
            "type": "uint8 (uint8blk), 5.722 MiB",
            "blocks": "32 x 32 x 32",
            "voxel": "4 x 4 x 40 nanometers",
            "version": f"{offline.VERSION} (open)",
            "address": f"{offline.NOWHERE}/{offline.VERSION}/gray",
        },
    ),
    ({"locked": True}, {"version": f"{offline.VERSION} (committed)"}),
    ({"units": ("nm", "nm", "\u00b5m")}, {"voxel": "4 x 4 x 40 nm, nm, \u00b5m"}),
    ({"extents": None}, {"note": "nothing is stored yet"}),
    (
        {"extents": Box((-1, 0, 3), (5, 5, 5))},
        {"note": "data begins at (-1, 0, 3): see .stored"},
    ),
    ({"regions": (region("a"), region("b"))}, {"inside": "a and b, else 0"}),
    (
        {"kind": "labelmap", "body": Body(7, np.zeros((1, 3), np.int64))},
        {"body": "7 (True where it is)", "type": "bool (labelmap), 5.722 MiB"},
    ),
]


@pytest.mark.parametrize(("facts", "said"), SAID)
def test_what_is_said(facts: dict[str, Any], said: dict[str, str]) -> None:
    array = offline.array(**facts)
    told = display.facts(array)
    assert {name: told[name] for name in said} == said
    assert ("note" in told) == ("note" in said)
    lines = repr(array).split("\n")
    assert lines[0] == "<DvidArray 'gray'>"
    assert [line.split(maxsplit=1) for line in lines[1:]] == [[*row] for row in told.items()]
    assert Table(array._repr_html_()).cells == ["DvidArray gray", *sum(told.items(), ())]


def test_a_window_tells_where_it_begins() -> None:
    window = offline.array().window((-4, 5, 6), (10, 11, 12))
    assert repr(window).startswith("<DvidWindow 'gray'>\n")
    assert display.facts(window)["origin"] == "x y z (-4, 5, 6)"
    assert "note" not in display.facts(window)


@given(st.text(min_size=1) | st.just(NASTY))
def test_any_name_is_shown_as_text(name: str) -> None:
    """It opens no tag, begins no line and ends no cell."""
    array = offline.array(name=name)
    assert_safe(array)
    page = Table(array._repr_html_())
    shown = name.replace("\r\n", "\n").replace("\r", "\n")
    assert page.cells[0].replace("\r\n", "\n").replace("\r", "\n") == f"DvidArray {shown}"


@pytest.mark.parametrize(
    "facts", [{"regions": (region(NASTY),)}, {"units": (NASTY, "nm", "nm")}], ids=str
)
def test_other_names_are_text_too(facts: dict[str, Any]) -> None:
    assert_safe(offline.array(**facts))


def assert_safe(array: DvidArray) -> None:
    told = display.facts(array)
    assert len(repr(array).split("\n")) == 1 + len(told)
    assert "\x1b" not in repr(array)
    rows = ["tr", "th", "td"] * len(told)
    assert Table(array._repr_html_()).tags == ["table", "caption", *rows]
