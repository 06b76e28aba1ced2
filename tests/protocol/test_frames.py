"""The block stream both ways, and damage of every kind."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import frames


class Bytes:
    """A source of bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def take(self, size: int) -> bytes:
        return self._data.read(size)

    def read_into(self, view: memoryview) -> None:
        if self._data.readinto(view) != len(view):
            raise EOFError


def unpacked(
    data: bytes, expected: Callable[..., bool] = lambda _: True, max_bytes: int = 1000
) -> list[tuple[tuple[int, int, int], bytes]]:
    return [(block, bytes(view)) for block, view in frames.unpack(Bytes(data), expected, max_bytes)]


whole = st.integers(-(2**31), 2**31 - 1)
stream = st.dictionaries(st.tuples(whole, whole, whole), st.binary(max_size=50), max_size=8)


def packed(blocks: dict[tuple[int, int, int], bytes]) -> bytes:
    return b"".join(frames.pack(block, data) for block, data in blocks.items())


@given(stream)
def test_there_and_back(blocks: dict[tuple[int, int, int], bytes]) -> None:
    assert dict(unpacked(packed(blocks))) == blocks


def test_the_bytes_of_a_frame() -> None:
    """As DVID's own documentation has them."""
    head = bytes.fromhex("ffffffff 00000000 02000000 18000000")
    assert frames.pack((-1, 0, 2), bytes(24)) == head + bytes(24)
    assert frames.pack((-1, 0, 2), memoryview(bytes(24))) == head + bytes(24)


def test_an_empty_stream_has_no_blocks() -> None:
    assert unpacked(b"") == []


GOOD = frames.pack((0, 0, 0), b"abc")
DAMAGE = {
    "a cut header": (GOOD + GOOD[:7], "ends within a frame's header"),
    "an uninvited block": (frames.pack((5, 0, 0), b"abc"), "impossible frame"),
    "a block twice": (GOOD + GOOD, "impossible frame"),
    "a negative length": (struct.pack("<iiii", 0, 0, 0, -1), "impossible frame"),
    "an endless length": (struct.pack("<iiii", 0, 0, 0, 2**31 - 1), "impossible frame"),
    "one byte too many": (frames.pack((0, 0, 0), bytes(101)), "impossible frame"),
    "text": (GOOD + b"Panic detected on request\n", "Panic detected on request"),
    "a short text": (GOOD + b"full", "full"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(name: str) -> None:
    data, words = DAMAGE[name]
    with pytest.raises(DvidProtocolError, match=words):
        unpacked(data, {(0, 0, 0), (1, 0, 0)}.__contains__, 100)


def test_a_cut_payload_is_the_sources_error() -> None:
    with pytest.raises(EOFError):
        unpacked(GOOD[:-1])


def test_whole_frames_before_the_damage_are_given() -> None:
    stream = frames.unpack(Bytes(GOOD + b"oops"), lambda _: True, 100)
    block, view = next(stream)
    assert (block, bytes(view)) == ((0, 0, 0), b"abc")
    with pytest.raises(DvidProtocolError):
        next(stream)


def test_the_servers_words_are_kept() -> None:
    with pytest.raises(DvidProtocolError) as caught:
        unpacked(b"Panic detected on request 7: index out of range\n")
    assert caught.value.sentence.startswith("Panic detected on request 7")


@given(stream.filter(bool), st.data())
def test_any_bit_flipped_in_a_header_is_seen_or_is_another_block(
    blocks: dict[tuple[int, int, int], bytes], data: st.DataObject
) -> None:
    """No damage of headers makes up a block that nobody asked for."""
    flat = bytearray(packed(blocks))
    place = data.draw(st.integers(0, 15))
    flat[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = dict(unpacked(bytes(flat), blocks.__contains__, 50))
    except (DvidProtocolError, EOFError):
        return
    assert set(found) <= set(blocks)
