"""Images and labels where a recording cannot reach: orders, versions, proxies, pictures."""

from __future__ import annotations

import gzip
import struct
import zlib
from io import BytesIO
from typing import Any

import lz4.block
import numpy as np
import pytest
from PIL import Image

from dvid_array.devserver import DevServer
from tests.corpus.exchange import frames
from tests.devserver.conftest import Asker, noise

pytestmark = pytest.mark.dev


def headers(body: bytes) -> list[tuple[int, int, int]]:
    """The blocks of a stream in the order they came."""
    found = []
    while body:
        x, y, z, size = struct.unpack("<iiii", body[:16])
        found.append((x, y, z))
        body = body[16 + size :]
    return found


def test_image_blocks_come_in_order_and_label_blocks_do_not(asker: Asker) -> None:
    uuid = asker.repo()
    gray, seg = asker.instance(uuid), asker.instance(uuid, "seg", "labelmap")
    box = "80_64_48/-32_0_0"
    assert asker.post(f"{gray}/raw/0_1_2/{box}", bytes(80 * 64 * 48)).status == 200
    assert asker.post(f"{seg}/raw/0_1_2/{box}", bytes(80 * 64 * 48 * 8)).status == 200
    expected = [(x, y, z) for z in range(3) for y in range(4) for x in range(-2, 3)]
    assert headers(asker.get(f"{gray}/subvolblocks/{box}").body) == expected
    came = [headers(asker.get(f"{seg}/blocks/{box}").body) for _ in range(3)]
    assert all(sorted(order) == sorted(expected) for order in came)
    assert any(order != expected for order in came)


def test_a_long_line_of_versions(asker: Asker) -> None:
    """Each version writes one block and one that all write; each sees its ancestors' newest."""
    uuid = asker.repo()
    asker.instance(uuid)
    line = [uuid]
    for number in range(12):
        where = f"node/{line[-1]}/gray/raw/0_1_2"
        for block in (0, number + 1):
            body = bytes([number + 1]) * 4096
            assert asker.post(f"{where}/16_16_16/{16 * block}_0_0", body).status == 200
        line.append(asker.commit(line[-1]))
    for number, version in enumerate(line[:-1]):
        row = asker.get(f"node/{version}/gray/raw/0_1_2/208_1_1/0_0_0").body[::16]
        shared, *own = row
        assert shared == number + 1
        assert own == [k + 1 if k <= number else 0 for k in range(12)]
        blocks = asker.get(f"node/{version}/gray/subvolblocks/208_16_16/0_0_0").body
        assert len(headers(blocks)) == number + 2
        listed = ",".join(f"{block},0,0" for block in range(13))
        found = frames(asker.get(f"node/{version}/gray/specificblocks?blocks={listed}").body)
        assert lz4.block.decompress(found[0, 0, 0])[0] == number + 1


def test_a_volume_larger_than_one_answer(asker: Asker) -> None:
    where = asker.instance(asker.repo(), BlockSize="64,64,64")
    far = "1048576_524288_-262144"
    body = noise((64, 64, 64)).tobytes()
    for offset in ("0_0_0", far):
        assert asker.post(f"{where}/raw/0_1_2/64_64_64/{offset}", body).status == 200
    # Only the two blocks are visited, not the millions between them.
    size = "1048640_524352_262208"
    found = asker.get(f"{where}/subvolblocks/{size}/0_0_-262144").body
    assert headers(found) == [(16384, 8192, -4096), (0, 0, 0)]
    assert asker.get(f"{where}/raw/0_1_2/{size}/0_0_0").status == 400


def test_unequal_blocks(asker: Asker) -> None:
    where = asker.instance(asker.repo(), BlockSize="64,32,16")
    voxels = noise((48, 64, 128), 3)
    assert asker.post(f"{where}/raw/0_1_2/128_64_48/-64_32_-16", voxels.tobytes()).status == 200
    part = asker.get(f"{where}/raw/0_1_2/70_31_29/-50_40_-10").body
    assert part == voxels[6:35, 8:39, 14:84].tobytes()


# --- proxies -------------------------------------------------------------------------------------


@pytest.fixture
def proxy(dev: DevServer, asker: Asker) -> tuple[str, np.ndarray[Any, Any]]:
    """A proxied instance filled with JPEG blocks, and its voxels (x, y, z)."""
    uuid = asker.repo()
    settings = {"typename": "uint8blk", "dataname": "far", "GridStore": "grid"}
    assert "could not find store" in asker.post(f"repo/{uuid}/instance", settings).text
    dev.add_gridstore("grid")
    where = asker.instance(uuid, "far", GridStore="grid", Background="5")
    x, y, z = np.meshgrid(np.arange(40), np.arange(20), np.arange(16), indexing="ij")
    voxels = (3 * x + 2 * y + z + 20).astype(np.uint8)
    dev.fill_gridstore("grid", uuid, "far", voxels)
    return where, voxels


def near(body: bytes, expected: np.ndarray[Any, Any]) -> bool:
    """Whether voxels came through JPEG."""
    came = np.frombuffer(body, np.uint8).reshape(expected.shape, order="F").astype(int)
    return bool(abs(came - expected.astype(int)).max() < 40)


def test_a_proxy_hands_on_jpeg(asker: Asker, proxy: tuple[str, np.ndarray[Any, Any]]) -> None:
    where, voxels = proxy
    info = asker.get(f"{where}/info").json()
    assert (info["Extended"]["GridStore"], info["Extents"]["MinPoint"]) == ("grid", None)
    for query in ("", "?compression=jpeg"):
        found = frames(asker.get(f"{where}/subvolblocks/48_32_16/0_0_0{query}").body)
        assert sorted(found) == [(x, y, 0) for x in range(3) for y in range(2)]
        with Image.open(BytesIO(found[1, 0, 0])) as picture:
            assert (picture.format, picture.size) == ("JPEG", (16, 256))
    plain = asker.get(f"{where}/specificblocks?blocks=1,0,0,9,9,9&compression=uncompressed").body
    assert near(frames(plain)[1, 0, 0], voxels[16:32, :16, :16])
    assert near(asker.get(f"{where}/blocks/0_0_0/1").body, voxels[:16, :16, :16])


def test_a_proxy_refuses_the_rest(asker: Asker, proxy: tuple[str, np.ndarray[Any, Any]]) -> None:
    where, _ = proxy
    refused = 'Data "far" does not support /raw endpoint since it is proxying data'
    for path in ("raw/0_1_2/4_4_4/0_0_0", "isotropic/xy/4_4/0_0_0"):
        assert asker.get(f"{where}/{path}").text.startswith(refused)
    assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", bytes(4096)).text.startswith(refused)
    posted = asker.post(f"{where}/blocks/0_0_0/1", bytes(4096)).text
    assert posted.startswith('Data "far" uses an immutable GridStore so cannot received POSTs')


def test_a_proxy_of_plain_blocks(dev: DevServer, asker: Asker) -> None:
    uuid = asker.repo()
    dev.add_gridstore("grid")
    where = asker.instance(uuid, "far", GridStore="grid")
    voxels = np.asfortranarray(noise((16, 16, 32)).T)
    dev.fill_gridstore("grid", uuid, "far", voxels, jpeg=False)
    found = frames(asker.get(f"{where}/subvolblocks/32_16_16/0_0_0").body)
    assert found[1, 0, 0] == voxels[16:].tobytes(order="F")


def test_filling_what_is_no_proxy(dev: DevServer, asker: Asker) -> None:
    uuid = asker.repo()
    asker.instance(uuid)
    with pytest.raises(ValueError, match="no GridStore 'grid'"):
        dev.fill_gridstore("grid", uuid, "gray", np.zeros((4, 4, 4), np.uint8))


# --- pictures ------------------------------------------------------------------------------------


def png_samples(body: bytes, width: int) -> bytes:
    """The pixels of an RGBA picture of 16 bits, which Pillow would cut to 8."""
    start = body.index(b"IDAT")
    size = struct.unpack(">I", body[start - 4 : start])[0]
    rows = zlib.decompress(body[start + 4 : start + 4 + size])
    line = 1 + 8 * width
    return b"".join(rows[k + 1 : k + line] for k in range(0, len(rows), line))


def test_labels_in_a_picture(asker: Asker) -> None:
    """The 16-bit samples of a pixel hold the label's bytes in order."""
    where = asker.instance(asker.repo(), "seg", "labelmap")
    labels = np.arange(4096, dtype="<u8").reshape(16, 16, 16) + 0x0102030405060708
    assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", labels.tobytes()).status == 200
    body = asker.get(f"{where}/raw/xy/5_4/2_3_7").body
    assert png_samples(body, 5) == labels[7, 3:7, 2:7].tobytes()


def test_isotropic_pictures(asker: Asker) -> None:
    where = asker.instance(asker.repo(), VoxelSize="4,4,8")
    with Image.open(BytesIO(asker.get(f"{where}/isotropic/xz/32_16/0_0_0").body)) as picture:
        assert picture.size == (32, 16)


# --- labels --------------------------------------------------------------------------------------


def test_large_label_reads_in_each_compression(asker: Asker) -> None:
    where = asker.instance(asker.repo(), "seg", "labelmap", BlockSize="64,64,64")
    labels = np.zeros((260, 260, 260), "<u8")
    labels[:64, :64, :64] = np.arange(64**3, dtype="<u8").reshape(64, 64, 64)
    posted = asker.post(f"{where}/raw/0_1_2/64_64_64/0_0_0", labels[:64, :64, :64].tobytes())
    assert posted.status == 200
    box = f"{where}/raw/0_1_2/260_260_260/0_0_0?compression="
    assert asker.get(box).body == labels.tobytes()
    packed = asker.get(box + "lz4").body
    assert lz4.block.decompress(packed, uncompressed_size=labels.nbytes) == labels.tobytes()
    assert gzip.decompress(asker.get(box + "gzip").body) == labels.tobytes()


def test_gzip_bombs(asker: Asker) -> None:
    where = asker.instance(asker.repo(), "seg", "labelmap")
    bomb = gzip.compress(bytes(300 << 20), 9)
    answer = asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0?compression=gzip", bomb)
    assert answer.status == 400
    assert "expected 32768 bytes" in answer.text
