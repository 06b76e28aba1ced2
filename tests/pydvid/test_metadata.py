"""`VoxelsMetadata`: DVID's document of axes and values, and the volume that it makes."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array.pydvid import voxels
from dvid_array.pydvid.voxels import VoxelsMetadata


def default(
    shape: Any = (1, 0, 0, 0), dtype: Any = np.uint8, axiskeys: str = "cxyz", **facts: Any
) -> VoxelsMetadata:
    usual = {"resolution": 1.0, "units": ""} | facts
    return VoxelsMetadata.create_default_metadata(
        shape, dtype, axiskeys, usual["resolution"], usual["units"]
    )


def test_the_document() -> None:
    metadata = default((3, 100, 200, 300), "uint16", resolution=1.5, units="micrometers")
    sizes = {"X": 100, "Y": 200, "Z": 300}
    axis = {"Resolution": 1.5, "Units": "micrometers", "Offset": 0}
    assert metadata == {
        "Axes": [axis | {"Label": key, "Size": n} for key, n in sizes.items()],
        "Properties": {"Values": [{"DataType": "uint16", "Label": ""}] * 3},
    }
    assert json.loads(metadata.to_json()) == metadata
    assert VoxelsMetadata(metadata.to_json()) == metadata


def test_it_tells_what_stands_in_it_now() -> None:
    metadata = default((1, 100, 200, 300))
    assert (metadata.shape, metadata.minindex) == ((1, 100, 200, 300), (0, 0, 0, 0))
    assert (metadata.axiskeys, metadata.dtype) == ("cxyz", np.uint8)
    metadata["Axes"][2] |= {"Offset": -7, "Size": 10}
    assert (metadata.shape, metadata.minindex) == ((1, 100, 200, 3), (0, 0, 0, -7))
    metadata["Axes"][0]["Size"] = 0
    assert metadata.shape == (1, None, 200, 3)


def test_values_are_not_one_object() -> None:
    metadata = default((4, 0, 0, 0))
    metadata["Properties"]["Values"][0]["Label"] = "red"
    assert [value["Label"] for value in metadata["Properties"]["Values"]] == ["red", "", "", ""]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"axiskeys": "xyzc"}, "channel axis must be first"),
        ({"axiskeys": ""}, "channel axis must be first"),
        ({"axiskeys": "cxyzt"}, "shape/axiskeys mismatch"),
        ({"shape": (1, 2, 3)}, "shape/axiskeys mismatch"),
        ({"axiskeys": "cxyt"}, "not 'cxyt'"),
        ({"axiskeys": "czyx"}, "not 'czyx'"),
        ({"shape": (0, 1, 1, 1)}, "no channel"),
        ({"shape": (1, 1, -1, 1)}, "negative extent"),
        ({"resolution": "coarse"}, r"Axes\[\d\].Resolution"),
        ({"units": 3}, r"Axes\[\d\].Units"),
    ],
)
def test_bad_defaults(facts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        default(**facts)


@pytest.mark.parametrize("shape", [(1, 2.5, 3, 4), (1, "2", 3, 4), (1, None, 3, 4)])
def test_extents_are_integers(shape: Any) -> None:
    with pytest.raises(TypeError):
        default(shape)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "Expecting"),
        ("[]", "object"),
        ({}, "'Axes' is a required property"),
        ({"Axes": default()["Axes"]}, r"not \[\]"),
        (default() | {"Axes": []}, "Axes"),
        (default() | {"Axes": [{"Label": "X"}]}, r"Axes\[0\]"),
        (
            default() | {"Properties": {"Values": [{"DataType": "uint8"}, {"DataType": "uint16"}]}},
            r"all of one type, not \['uint16', 'uint8'\]",
        ),
    ],
)
def test_bad_documents(document: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VoxelsMetadata(document)


def test_metadata_are_a_document() -> None:
    with pytest.raises(TypeError, match="dict or JSON text"):
        VoxelsMetadata(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "channels", "kind", "block"),
    [
        ("uint8", 1, "uint8blk", 32),
        ("uint8", 4, "rgba8blk", 32),
        ("uint16", 1, "uint16blk", 32),
        ("uint32", 1, "uint32blk", 32),
        ("float32", 1, "float32blk", 32),
        ("uint64", 1, "labelmap", 64),
    ],
)
def test_what_volume_it_makes(
    connection: HTTPConnection,
    node: dvid_array.Node,
    dtype: str,
    channels: int,
    kind: str,
    block: int,
) -> None:
    metadata = default((channels, 0, 0, 0), dtype)
    assert metadata.determine_dvid_typename() == kind
    voxels.create_new(connection, node.uuid, "made", metadata)
    array = node["made"]
    assert (array.kind, array.dtype) == (kind, np.dtype(dtype))
    assert array.block_shape == (channels, block, block, block)
    assert (array.resolution, array.units) == ((1.0, 1.0, 1.0), ("nanometers",) * 3)
    assert array.shape == (channels, 0, 0, 0)


def test_everything_in_it_reaches_the_server(
    connection: HTTPConnection, node: dvid_array.Node
) -> None:
    metadata = default((1, 100, 200, 300), resolution=1.5, units="micrometers")
    metadata["Axes"][2] |= {"Resolution": 6.0, "Units": "mm", "Offset": -20, "Size": 50}
    metadata["Properties"]["BlockSize"] = [64, 32, 16]
    voxels.create_new(connection, node.uuid, "made", metadata)
    array = node["made"]
    assert array.resolution == (1.5, 1.5, 6.0)
    assert array.units == ("micrometers", "micrometers", "mm")
    assert array.block_shape == (1, 64, 32, 16)
    assert (array.minindex, array.shape) == ((0, 0, 0, -20), (1, 100, 200, 30))


def test_a_volume_can_be_made_like_another(
    connection: HTTPConnection, node: dvid_array.Node
) -> None:
    array = node.create("first", "uint16", block=(32, 32, 64), resolution=(4, 4, 40))
    array.voxels[:, -30:-10, 5:9, 1:2] = 7
    found = voxels.get_metadata(connection, node.uuid, "first")
    assert (found.minindex, found.shape) == ((0, -30, 5, 1), (1, -10, 9, 2))
    voxels.create_new(connection, node.uuid, "second", found)
    assert voxels.get_metadata(connection, node.uuid, "second") == found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["Axes"][0].update(Resolution=0), "resolution"),
        (lambda m: m["Axes"][0].update(Units="a,b"), "units"),
        (lambda m: m["Axes"][0].update(Size=5), "give the extent of all axes"),
        (lambda m: m["Properties"].update(BlockSize=[0, 32, 32]), "block"),
        (lambda m: m["Properties"].update(Background=256), "background"),
        (lambda m: m["Properties"]["Values"].pop(), "uint8 with 3 channel"),
        (lambda m: [v.update(DataType="int8") for v in m["Properties"]["Values"]], "int8 with 4"),
    ],
)
def test_what_dvid_cannot_make_is_not_asked_for(
    connection: HTTPConnection, node: dvid_array.Node, sent: list[Any], change: Any, words: str
) -> None:
    metadata = default((4, 0, 0, 0))
    change(metadata)
    with pytest.raises(ValueError, match=words):
        voxels.create_new(connection, node.uuid, "bad", metadata)
    assert not [one for one in sent if one.method == "POST"]


def test_errors_of_the_server_are_the_packages_own(
    connection: HTTPConnection, node: dvid_array.Node
) -> None:
    voxels.create_new(connection, node.uuid, "twice", default())
    with pytest.raises(dvid_array.DvidExistsError):
        voxels.create_new(connection, node.uuid, "twice", default())
    with pytest.raises(dvid_array.DvidNotFoundError):
        voxels.get_metadata(connection, node.uuid, "never")
    with pytest.raises(dvid_array.DvidNotFoundError):
        voxels.create_new(connection, "f" * 32, "name", default())
    node.commit()
    with pytest.raises(dvid_array.DvidLockedError):
        voxels.create_new(connection, node.uuid, "late", default())
