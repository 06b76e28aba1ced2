"""Numbers, sizes and offsets as Go reads them."""

from __future__ import annotations

import pytest

from dvid_array.devserver import geometry
from dvid_array.devserver.answers import Refusal
from dvid_array.devserver.geometry import Subvolume

pytestmark = pytest.mark.dev
SYNTAX, RANGE = "invalid syntax", "value out of range"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("007", 7),
        ("2147483647", 2**31 - 1),
        ("-2147483648", -(2**31)),
    ],
)
def test_integers(text: str, value: int) -> None:
    assert geometry.whole(text) == value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        *(
            (text, SYNTAX)
            for text in ("", "-", "+", "--1", "1_0", "0x1", "1.0", "1e3", " 1", "٣", "²")
        ),
        *((text, RANGE) for text in ("2147483648", "-2147483649", "9" * 5000, "-" + "9" * 41)),
    ],
)
def test_no_integers(text: str, complaint: str) -> None:
    with pytest.raises(Refusal, match=complaint) as caught:
        geometry.whole(text)
    assert caught.value.text.startswith("strconv.ParseInt: parsing ")


@pytest.mark.parametrize(("text", "complaint"), [("-1", SYNTAX), ("256", RANGE), ("", SYNTAX)])
def test_natural_numbers(text: str, complaint: str) -> None:
    assert geometry.natural("255", bits=8) == 255
    with pytest.raises(Refusal, match=complaint):
        geometry.natural(text, bits=8)


@pytest.mark.parametrize(
    ("value", "bits", "result"), [(2**31, 32, -(2**31)), (-(2**31) - 1, 32, 2**31 - 1), (5, 32, 5)]
)
def test_overflow(value: int, bits: int, result: int) -> None:
    assert geometry.wrapped(value, bits) == result


def test_subvolumes() -> None:
    box = geometry.subvolume("32_16_16", "-16_0_2147483632")
    assert box == Subvolume((-16, 0, 2147483632), (32, 16, 16))
    assert str(box) == "3d volume (32,16,16) at offset (-16,0,2147483632)"
    assert box.last == (15, 15, 2147483647)
    assert box.aligned((16, 16, 16))
    assert not box.aligned((16, 16, 32))
    assert box.voxels == 32 * 16 * 16
    assert box.blocks((16, 16, 16)).shape == (2, 1, 1)
    assert Subvolume((0, 0, 0), (2_000_000_000,) * 3).voxels < 0


def test_shapes() -> None:
    assert geometry.axes("VOL") == (0, 1, 2)
    assert geometry.axes("0,2") == (0, 2)
    with pytest.raises(Refusal, match="Unknown data shape"):
        geometry.axes("zyx")
    with pytest.raises(Refusal, match="only 2 and 3 dimensions"):
        geometry.check_volume(geometry.axes("arb"))


def test_block_lists() -> None:
    assert geometry.block_list("1,-2,3,4,5,6") == [(1, -2, 3), (4, 5, 6)]
    # Go cuts to 32 bits here.
    assert geometry.block_list("99999999999,0,0") == [(1215752191, 0, 0)]
