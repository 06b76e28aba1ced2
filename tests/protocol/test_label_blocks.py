"""Label blocks: both engines against an oracle, every malformed block named, none accepted."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvid_array.errors import DvidAlignmentError, DvidProtocolError, DvidTypeError
from dvid_array.protocol import label_blocks
from dvid_array.protocol.label_blocks import decode, encode
from tests.protocol import label_oracle
from tests.protocol.label_oracle import VECTOR, vector_voxels

ENGINES: tuple[label_blocks.Engine, ...] = ("numpy", "numba")
engines = pytest.mark.parametrize("engine", ENGINES)
RECORDED = Path(__file__).with_name("recorded_label_blocks.npz")
GRIDS = [(2, 1, 1), (1, 2, 1), (1, 1, 4), (2, 2, 2), (3, 2, 1), (4, 4, 2)]


def some_labels(
    grid: tuple[int, int, int], pool: int, run: int, seed: int, *, order: str = "F"
) -> np.ndarray:
    """Voxels of `pool` labels, 0 and the largest among them, in runs along x of about `run`."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 2**64, pool, np.uint64, endpoint=False)
    ids[: min(2, pool)] = (2**64 - 1, 0)[: min(2, pool)]
    size = tuple(8 * n for n in grid)
    starts = rng.random(size) < 1 / run
    drawn = ids[rng.integers(0, pool, size)]
    last = np.maximum.accumulate(np.where(starts, np.arange(size[0])[:, None, None], 0), axis=0)
    return np.array(np.take_along_axis(drawn, last, axis=0), order=order)  # type: ignore[call-overload]


voxels_of_blocks = st.builds(
    some_labels,
    st.sampled_from(GRIDS),
    st.sampled_from([1, 2, 3, 4, 5, 9, 17, 60, 250, 300, 512, 3000]),
    st.sampled_from([1, 3, 40]),
    st.integers(0, 2**32),
    order=st.sampled_from("CF"),
)


@st.composite
def odd_blocks(draw: st.DrawFn) -> bytes:
    """Legal blocks as no encoder makes them: duplicate and unused labels, sub-blocks that name one
    label twice or none."""
    grid = draw(st.sampled_from(GRIDS[:5]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(0, 6, draw(st.integers(2, 40)), np.uint64)
    sizes = rng.choice([0, 1, 1, 2, 3, 5, 30, 128, 129, 256, 257, 511, 512], np.prod(grid))
    lists = [rng.integers(0, len(labels), n) for n in sizes]
    numbers = [rng.integers(0, max(1, n), 512) for n in sizes]
    return label_oracle.build(grid, labels, lists, numbers)  # type: ignore[arg-type]


@engines
def test_a_block_that_dvid_has_read(engine: label_blocks.Engine) -> None:
    assert np.array_equal(decode(VECTOR, engine=engine), vector_voxels())
    assert encode(vector_voxels(), engine=engine) == VECTOR


@engines
@pytest.mark.parametrize("view", ["supervoxels", "bodies"])
def test_blocks_of_a_dvid(engine: label_blocks.Engine, view: str) -> None:
    """A stored block, and the same as it was sent after merges: it lists bodies more than once."""
    with np.load(RECORDED) as recorded:
        data, expected = recorded[view].tobytes(), recorded[f"{view}_voxels"]
    found = decode(data, engine=engine, shape=(32, 32, 32))
    assert np.array_equal(found.ravel(order="F"), expected)


@given(voxels_of_blocks)
def test_round_trips(voxels: np.ndarray) -> None:
    data = encode(voxels, engine="numpy")
    assert encode(voxels, engine="numba") == data
    assert np.array_equal(label_oracle.read(data), voxels)
    for engine in ENGINES:
        found = decode(data, engine=engine)
        assert found.flags.f_contiguous
        assert found.dtype == np.uint64
        assert np.array_equal(found, voxels)


@given(odd_blocks())
def test_blocks_that_others_may_make(data: bytes) -> None:
    for engine in ENGINES:
        assert np.array_equal(decode(data, engine=engine), label_oracle.read(data))


@engines
@pytest.mark.parametrize(
    "size", [(1024, 8, 16), (8, 1024, 16), (16, 8, 1024), (8, 8, 16), (128, 64, 32)]
)
def test_any_size_up_to_1024(engine: label_blocks.Engine, size: tuple[int, int, int]) -> None:
    grid = tuple(n // 8 for n in size)
    voxels = some_labels(grid, 70, 5, 1)  # type: ignore[arg-type]
    data = encode(voxels, engine=engine)
    assert np.array_equal(decode(data, engine=engine, shape=size), voxels)
    assert np.array_equal(label_oracle.read(data), voxels)


@engines
def test_a_block_of_one_label_is_24_bytes(engine: label_blocks.Engine) -> None:
    voxels = np.full((64, 32, 16), 2**63 + 1, np.uint64)
    data = encode(voxels, engine=engine)
    assert data == bytes.fromhex("08000000 04000000 02000000 01000000 0100000000000080")
    assert np.array_equal(decode(data, engine=engine), voxels)
    assert len(encode(voxels[:8, :8, :8], engine=engine)) == 24


WINDOWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inside Fortran order": lambda big: big[8:24, 5:21, 3:19],
    "inside C order": lambda big: np.ascontiguousarray(big)[8:24, 5:21, 3:19],
    "every second row": lambda big: big[8:24, 4:36:2, 3:19],
    "every second voxel": lambda big: big[2:34:2, 4:20, 3:19],
    "downwards": lambda big: big[23:7:-1, 20:4:-1, 18:2:-1],
    "planes downwards": lambda big: big[8:24, 5:21, 18:2:-1],
    "axes exchanged": lambda big: big.T[8:24, 5:21, 3:19],
}


@engines
@pytest.mark.parametrize("window", WINDOWS)
def test_decoding_into_a_window_touches_nothing_else(
    engine: label_blocks.Engine, window: str
) -> None:
    big = np.full((40, 40, 40), 77, np.uint64, order="F")
    out = WINDOWS[window](big)
    whole: Any = out.base if out.base is not None else big
    assert decode(VECTOR, out, engine=engine) is out
    assert np.array_equal(out, vector_voxels())
    out[...] = 77
    assert (whole == 77).all()


@engines
@pytest.mark.parametrize("window", WINDOWS)
def test_encoding_a_window(engine: label_blocks.Engine, window: str) -> None:
    out = WINDOWS[window](np.full((40, 40, 40), 77, np.uint64, order="F"))
    out[...] = vector_voxels()
    assert encode(out, engine=engine) == VECTOR
    out.flags.writeable = False
    assert encode(out, engine=engine) == VECTOR


@engines
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_are_taken(engine: label_blocks.Engine, kind: type) -> None:
    assert np.array_equal(decode(kind(VECTOR), engine=engine), vector_voxels())
    shifted = memoryview(b"123" + VECTOR)[3:]
    assert np.array_equal(decode(shifted, engine=engine), vector_voxels())


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((16, 16, 16), np.int64),
        np.zeros((16, 16, 16), ">u8"),
        np.broadcast_to(np.uint64(0), (16, 16, 16)),
    ],
)
def test_results_that_cannot_be_filled(out: np.ndarray) -> None:
    with pytest.raises(DvidTypeError, match="writeable"):
        decode(VECTOR, out)


@engines
def test_what_is_no_block_is_not_encoded(engine: label_blocks.Engine) -> None:
    for size in ((12, 8, 16), (8, 8, 0), (1032, 8, 8)):
        with pytest.raises(DvidAlignmentError, match="multiples of 8"):
            encode(np.zeros(size, np.uint64), engine=engine)
    with pytest.raises(DvidAlignmentError, match="odd"):
        encode(np.arange(512, dtype=np.uint64).reshape(8, 8, 8), engine=engine)
    for wrong in (np.zeros((16, 16, 16), np.int64), np.zeros((16, 16, 16, 1), np.uint64)):
        with pytest.raises(DvidTypeError, match="uint64"):
            encode(wrong, engine=engine)


def changed(at: int, value: bytes) -> bytes:
    return VECTOR[:at] + value + VECTOR[at + len(value) :]


COUNTS, INDICES, VALUES = 40, 56, 96
MALFORMED = {
    "empty": (b"", "fewer than any block"),
    "without a label": (VECTOR[:23], "fewer than any block"),
    "no sub-blocks": (changed(0, b"\0"), "impossible"),
    "too many sub-blocks": (changed(4, b"\x81"), "impossible"),
    "gigabytes": (changed(0, b"\x80\0\0\0\x80\0\0\0\x80\0\0\0"), "claims"),
    "no labels": (changed(12, b"\0"), "no labels"),
    "one label and a tail": (changed(12, b"\1"), "224 bytes of one label"),
    "more labels than bytes": (changed(12, b"\xff\xff\xff\xff"), "ends within"),
    "cut in its labels": (VECTOR[:32], "ends within"),
    "cut in its counts": (VECTOR[: COUNTS + 5], "ends within"),
    "cut in its indices": (VECTOR[: INDICES + 5], "does not fit"),
    "cut in its values": (VECTOR[:-1], "does not fit"),
    "a tail": (VECTOR + b"\0", "does not fit"),
    "513 labels in a sub-block": (changed(COUNTS, b"\1\2"), "more than 512"),
    "a label less in a sub-block": (changed(COUNTS, b"\2"), "does not fit"),
    "an index beyond": (changed(INDICES, b"\3"), "beyond the block's list"),
    "an index far beyond": (changed(INDICES, b"\xff\xff\xff\xff"), "beyond the block's list"),
    "an index beyond in a solid sub-block": (changed(VALUES - 4, b"\3"), "beyond the block's"),
    "a number beyond": (changed(VALUES + 50, b"\3"), "beyond its sub-block's"),
    "the last number beyond": (changed(VALUES + 127, b"\3"), "beyond its sub-block's"),
}


@engines
@pytest.mark.parametrize("how", MALFORMED)
def test_malformed_blocks_are_named(engine: label_blocks.Engine, how: str) -> None:
    data, why = MALFORMED[how]
    with pytest.raises(DvidProtocolError, match=why) as error:
        decode(data, engine=engine, where="(3, -1, 2)")
    assert "label block (3, -1, 2) is malformed" in str(error.value)
    if len(data) >= 24:
        out = np.empty((16, 16, 16), np.uint64)
        with pytest.raises(DvidProtocolError):
            decode(data, out, engine=engine)


@engines
def test_a_number_beyond_is_seen_at_every_width(engine: label_blocks.Engine) -> None:
    for count in (3, 5, 9, 17, 33, 65, 129, 257, 300, 511):
        for place in (0, 7, 255, 511):
            numbers = [np.zeros(512, int), np.zeros(512, int)]
            numbers[1][place] = count
            data = label_oracle.build((1, 1, 2), [1, 2], [[0], [1] * count], numbers)
            with pytest.raises(DvidProtocolError, match="beyond its sub-block's"):
                decode(data, engine=engine)


@engines
def test_another_size_than_asked_for(engine: label_blocks.Engine) -> None:
    with pytest.raises(DvidProtocolError, match="expected"):
        decode(VECTOR, shape=(16, 16, 32), engine=engine)
    with pytest.raises(DvidProtocolError, match="expected"):
        decode(VECTOR, np.zeros((16, 32, 16), np.uint64), engine=engine)


@engines
def test_a_few_bytes_cannot_claim_gigabytes(engine: label_blocks.Engine) -> None:
    decode(VECTOR, engine=engine)
    tracemalloc.start()
    try:
        for data in (MALFORMED["gigabytes"][0], changed(12, b"\xff\xff\xff\x7f"), VECTOR[:100]):
            with pytest.raises(DvidProtocolError):
                decode(data, engine=engine)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def same_as_oracle(data: bytes) -> None:
    """Both engines have the oracle's voxels, or refuse what it refuses."""
    try:
        expected = label_oracle.read(data)
    except label_oracle.BadBlock:
        for engine in ENGINES:
            with pytest.raises(DvidProtocolError):
                decode(data, engine=engine)
        return
    for engine in ENGINES:
        assert np.array_equal(decode(data, engine=engine), expected)


@settings(max_examples=150)
@given(odd_blocks(), st.data())
def test_damaged_blocks(data: bytes, damage: st.DataObject) -> None:
    block = bytearray(data)
    early = st.integers(0, min(len(block), 400) - 1)
    for at in damage.draw(st.lists(early | st.integers(0, len(block) - 1), max_size=3)):
        block[at] ^= 1 << damage.draw(st.integers(0, 7))
    cut = damage.draw(st.sampled_from([0, 0, 0, 1, 2, 64]) | st.integers(0, len(block)))
    same_as_oracle(bytes(block[: len(block) - cut]) + damage.draw(st.binary(max_size=3)))


@given(st.binary(max_size=200))
def test_anything_at_all(tail: bytes) -> None:
    same_as_oracle(tail)
    same_as_oracle(VECTOR[:16] + tail)
    same_as_oracle(VECTOR[:40] + tail)


def test_every_bit_of_a_block() -> None:
    """1792 blocks, each with one wrong bit: refused or read by both as they stand."""
    for bit in range(8 * len(VECTOR)):
        block = bytearray(VECTOR)
        block[bit // 8] ^= 1 << bit % 8
        same_as_oracle(bytes(block))


@engines
def test_threads_do_not_disturb_one_another(engine: label_blocks.Engine) -> None:
    volumes = [some_labels((4, 4, 4), 40, 4, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        blocks = list(pool.map(lambda voxels: encode(voxels, engine=engine), volumes * 4))
        found = list(pool.map(lambda block: decode(block, engine=engine), blocks))
    for voxels, again in zip(volumes * 4, found, strict=True):
        assert np.array_equal(voxels, again)


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # as if it were not installed
import numpy as np
from dvid_array.protocol.label_blocks import decode, encode
data = bytes.fromhex(sys.argv[1])
assert encode(decode(data)) == data
assert not any(name.startswith("numba") for name in sys.modules if sys.modules[name])
try:
    decode(data, engine="numba")
except ImportError as missing:
    print(missing)
"""


def test_numpy_is_enough() -> None:
    command = [sys.executable, "-c", WITHOUT_NUMBA, VECTOR.hex()]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "numba cannot be used" in run.stdout
