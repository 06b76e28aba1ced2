"""Stored-block compressions: right, damaged, and made to burst memory."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import lz4.block
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import voxels

SIZE = 16**3
RAW = np.random.default_rng(2).integers(0, 40, SIZE, np.uint8).tobytes()


def jpeg(shape: tuple[int, int], value: int = 9) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full(shape, value, np.uint8)).save(out, "JPEG", quality=95)
    return out.getvalue()


ENCODED = {
    "none": RAW,
    "gzip": gzip.compress(RAW),
    "lz4": voxels.encode_lz4(RAW, sized=True),
    "lz4 bare": voxels.encode_lz4(RAW, sized=False),
    "proxied": RAW,
}


@pytest.mark.parametrize("codec", ENCODED)
def test_right_data(codec: str) -> None:
    for data in (ENCODED[codec], bytearray(ENCODED[codec]), memoryview(ENCODED[codec])):
        assert voxels.decode(codec, data, SIZE) == RAW


def test_lz4_is_what_dvid_writes() -> None:
    assert int.from_bytes(ENCODED["lz4"][:4], "little") == SIZE
    assert lz4.block.decompress(ENCODED["lz4"][4:], uncompressed_size=SIZE) == RAW


@pytest.mark.parametrize("codec", ["gzip", "lz4", "lz4 bare", "none"])
@pytest.mark.parametrize("size", [0, SIZE - 1, SIZE + 1, 4 * SIZE])
def test_another_number_of_bytes(codec: str, size: int) -> None:
    with pytest.raises(DvidProtocolError, match=codec):
        voxels.decode(codec, ENCODED[codec], size)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "lz4 bare"])
@given(data=st.data())
def test_damage_is_an_error_or_the_right_number_of_bytes(codec: str, data: st.DataObject) -> None:
    damaged = bytearray(ENCODED[codec])
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(damaged) - 1))]
    try:
        found = voxels.decode(codec, damaged, SIZE)
    except DvidProtocolError:
        return
    assert len(found) == SIZE


BOMBS = {
    "gzip": gzip.compress(bytes(1 << 28)),
    "lz4": (SIZE).to_bytes(4, "little") + lz4.block.compress(bytes(1 << 28), store_size=False),
    "lz4 bare": lz4.block.compress(bytes(1 << 28), store_size=False),
    "proxied": jpeg((8000, 8000)),
}


@pytest.mark.parametrize("codec", BOMBS)
def test_bombs_do_not_burst(codec: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DvidProtocolError):
            voxels.decode(codec, BOMBS[codec], SIZE)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_an_announced_size_is_not_believed() -> None:
    for announced in (0, 1, SIZE - 1, SIZE + 1, 2**32 - 1):
        data = announced.to_bytes(4, "little") + ENCODED["lz4"][4:]
        with pytest.raises(DvidProtocolError):
            voxels.decode("lz4", data, SIZE)


def test_what_follows_a_block_is_damage() -> None:
    with pytest.raises(DvidProtocolError):
        voxels.decode("gzip", ENCODED["gzip"] + b"and more", SIZE)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzip_of_any_level_and_with_a_name(level: int) -> None:
    packer = zlib.compressobj(level, wbits=31)
    assert voxels.decode("gzip", packer.compress(RAW) + packer.flush(), SIZE) == RAW


def test_a_proxy_hands_on_jpeg_or_plain_voxels() -> None:
    picture = voxels.decode("proxied", jpeg((16 * 16, 16)), SIZE)
    assert max(abs(value - 9) for value in picture) <= 2
    for start in (b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x10JFIF"):
        plain = start + RAW[len(start) :]
        assert voxels.decode("proxied", plain, SIZE) == plain
    with pytest.raises(DvidProtocolError):
        voxels.decode("proxied", jpeg((16, 16)), SIZE)
    with pytest.raises(DvidProtocolError):
        voxels.decode("proxied", jpeg((16 * 16, 16))[:200], SIZE)


def test_bytes_and_arrays() -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype="<u2").reshape(2, 3, 4, 5)
    for source in (array, np.asfortranarray(array), array.astype(">u2"), array[:, ::-1][:, ::-1]):
        body = voxels.to_bytes(source, np.dtype("<u2"))
        assert bytes(body) == array.tobytes(order="F")
        np.testing.assert_array_equal(voxels.from_bytes(body, (3, 4, 5), np.dtype("<u2"), 2), array)
    inside = np.asfortranarray(array)
    assert np.shares_memory(voxels.to_bytes(inside, np.dtype("<u2")), inside)
    with pytest.raises(DvidProtocolError, match="were expected"):
        voxels.from_bytes(bytes(7), (3, 4, 5), np.dtype("<u2"), 2)
