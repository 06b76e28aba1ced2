"""Stored label blocks: what is shown of them, and damage."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from dvid_array.devserver.configuration import new_facts
from dvid_array.devserver.instances import Extents, Instance
from dvid_array.devserver.label_storage import LabelCodec, unpacked
from dvid_array.errors import DvidProtocolError
from dvid_array.facts import KINDS
from dvid_array.protocol import label_blocks
from tests.corpus import label_block
from tests.devserver.test_label_streams import some

pytestmark = pytest.mark.dev
FACTS = new_facts(KINDS["labelmap"], "seg", {"blocksize": "16,32,16"}, ())
SEG = Instance(1, 1, "seg", "", KINDS["labelmap"], FACTS, Extents())
LABELS = some((16, 32, 16), 2, high=6)


def test_round_trip() -> None:
    codec = LabelCodec(SEG)
    stored = codec.stored(LABELS[None])
    assert np.array_equal(codec.labels(stored), LABELS)
    assert np.array_equal(codec.voxels(stored), LABELS[None])
    assert np.array_equal(label_block.decode(stored), LABELS)
    assert codec.block(stored) is stored
    assert codec.plain(stored).tobytes() == LABELS.tobytes(order="F")
    assert gzip.decompress(codec.gzip(stored)) == LABELS.tobytes(order="F")


@pytest.mark.parametrize("labels", [LABELS, np.full((16, 32, 16), 4, np.uint64)])
def test_names_are_replaced_in_the_list(labels: label_block.Labels) -> None:
    """Two of them by the same, which a block may hold twice."""
    codec = LabelCodec(SEG, lambda names: np.where(names == 4, np.uint64(2), names))
    stored = LabelCodec(SEG).stored(labels[None])
    expected = np.where(labels == 4, np.uint64(2), labels)
    assert np.array_equal(codec.labels(stored), expected)
    assert np.array_equal(label_block.decode(codec.block(stored)), expected)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (b"", "unexpected EOF"),
        (b"garbage", "gzip data is damaged"),
        (label_block.encode(LABELS)[:-9], "unexpected EOF"),
        (label_block.encode(LABELS) + b"more", "invalid header"),
        (gzip.compress(bytes(1 << 20)), "too long"),
    ],
)
def test_damage(stored: bytes, told: str) -> None:
    with pytest.raises(DvidProtocolError, match=told):
        unpacked(stored, SEG)


def test_a_list_that_ends_early() -> None:
    block = bytearray(label_blocks.encode(np.full((16, 32, 16), 1, np.uint64)))
    block[12:16] = (9).to_bytes(4, "little")
    stored = gzip.compress(bytes(block))
    for codec in (LabelCodec(SEG), LabelCodec(SEG, lambda names: names)):
        with pytest.raises(DvidProtocolError, match="label block"):
            codec.labels(stored)
