"""pydvid's quickstart with its import line changed, word for word where Python 3 lets it be."""

from __future__ import annotations

import http.client
import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy
import pytest

import dvid_array
from dvid_array.pydvid import general, voxels
from tests.conftest import Dvid

BLOCKS = [32, 64]


def test_the_quickstart(dvid: Dvid, node: dvid_array.Node, capsys: pytest.CaptureFixture) -> None:
    # Open a connection to DVID
    connection = http.client.HTTPConnection(urlsplit(dvid.url).netloc, timeout=5.0)

    # Get detailed dataset info: /api/datasets/info
    dataset_details = general.get_repos_info(connection)
    print(json.dumps(dataset_details, indent=4))
    assert node.uuid in json.loads(capsys.readouterr().out)

    # Create a new remote volume
    uuid = node.uuid[:20]
    voxels_metadata = voxels.VoxelsMetadata.create_default_metadata(
        (4, 0, 0, 0), numpy.uint8, "cxyz", 1.0, ""
    )
    voxels.create_new(connection, uuid, "my_volume", voxels_metadata)

    # Use the VoxelsAccessor convenience class to manipulate a particular data volume
    dvid_volume = voxels.VoxelsAccessor(connection, uuid, "my_volume")
    print(dvid_volume.axiskeys, dvid_volume.dtype, dvid_volume.minindex, dvid_volume.shape)
    assert capsys.readouterr().out == "cxyz uint8 (0, 0, 0, 0) (4, None, None, None)\n"

    # Add some data
    updated_data = numpy.ones((4, 100, 100, 100), dtype=numpy.uint8)  # Must include all channels.
    dvid_volume[:, 10:110, 20:120, 30:130] = updated_data
    # OR:
    dvid_volume.post_ndarray((0, 10, 20, 30), (4, 110, 120, 130), updated_data)

    # Read from it (First axis is channel.)
    cutout_array = dvid_volume[:, 10:110, 20:120, 30:130]
    assert (cutout_array == 1).all()
    # OR:
    cutout_array = dvid_volume.get_ndarray((0, 10, 20, 30), (4, 110, 120, 130))

    assert isinstance(cutout_array, numpy.ndarray)
    assert cutout_array.shape == (4, 100, 100, 100)
    assert (cutout_array == updated_data).all()

    # Retrieve all stored voxels
    start, stop = dvid_volume.minindex, dvid_volume.shape
    cutout_array = dvid_volume.get_ndarray(start, stop)
    assert (start, stop) == ((0, 10, 20, 30), (4, 110, 120, 130))
    assert cutout_array.shape == (4, 100, 100, 100)
    assert cutout_array.all()


@pytest.mark.parametrize("block", BLOCKS)
def test_neighbours_stay(connection: HTTPConnection, node: dvid_array.Node, block: int) -> None:
    metadata = voxels.VoxelsMetadata.create_default_metadata(
        (4, 0, 0, 0), numpy.uint8, "cxyz", 1.0, ""
    )
    metadata["Properties"]["BlockSize"] = [block] * 3
    voxels.create_new(connection, node.uuid, "my_volume", metadata)
    assert node["my_volume"].block_shape == (4, block, block, block)
    volume = voxels.VoxelsAccessor(connection, node.uuid, "my_volume")
    truth = numpy.random.default_rng(5).integers(2, 255, (4, 150, 150, 150), dtype=numpy.uint8)
    volume[:, 0:150, 0:150, 0:150] = truth

    volume[:, 10:110, 20:120, 30:130] = numpy.ones((4, 100, 100, 100), numpy.uint8)
    truth[:, 10:110, 20:120, 30:130] = 1
    numpy.testing.assert_array_equal(volume[...], truth)

    volume.post_ndarray((0, 1, 2, 3), (4, 9, 8, 7), truth[:, 1:9, 2:8, 3:7] + 1)
    truth[:, 1:9, 2:8, 3:7] += 1
    numpy.testing.assert_array_equal(volume[:], truth)
