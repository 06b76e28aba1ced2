"""The volumes that benchmarks read and write, and the servers they live on."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

import numpy as np

import dvid_array


def gray(size: int) -> np.ndarray:
    """Smooth structure, and noise on some of it: lz4 makes it about 1.3 times smaller, as it does
    electron microscopy. Shape (1, size, size, size), Fortran-ordered."""
    rng = np.random.default_rng(0)
    x, y, z = np.ogrid[:size, :size, :size]
    waves = np.sin(x / 31.0) + np.sin(y / 7.0) + np.sin(z / 11.0)
    picture = (110 + 30 * waves).astype(np.uint8)
    noisy = np.s_[size // 4 :]
    picture[noisy] += rng.integers(0, 8, picture[noisy].shape, dtype=np.uint8)
    return np.asfortranarray(picture[None])


def labels(size: int, edge: int, tile: int = 128) -> np.ndarray:
    """Voronoi cells about `edge` voxels wide, and background around some of them, as a segmentation
    has them. Shape (1, size, size, size), Fortran-ordered; made of tiles with labels of their own.
    """
    cells = _voronoi(min(size, tile), edge)
    whole = np.zeros((1, size, size, size), np.uint64, order="F")
    for number, (x, y, z) in enumerate(np.ndindex(*(3 * (-(-size // tile),))), start=1):
        copy = np.where(cells % 9 == 0, 0, cells + (np.uint64(number) << np.uint64(32)))
        part = whole[0, x * tile :, y * tile :, z * tile :][:tile, :tile, :tile]
        part[...] = copy[tuple(slice(n) for n in part.shape)]
    return whole


def _voronoi(size: int, edge: int) -> np.ndarray:
    """The nearest of jittered points, one in each cube of `edge` voxels: one of 27."""
    rng = np.random.default_rng(0)
    cube = np.arange(size) // edge
    count = cube[-1] + 3
    points = rng.random((3, count, count, count), np.float32) * edge
    nearest = np.zeros((size,) * 3, np.uint64)
    least = np.full((size,) * 3, np.inf, np.float32)
    places = np.indices((size,) * 3, np.float32, sparse=True)
    for shift in np.ndindex(3, 3, 3):
        near = np.ix_(*(cube + step for step in shift))
        distance = np.zeros((size,) * 3, np.float32)
        for axis, (place, step) in enumerate(zip(places, shift, strict=True)):
            corner = (place // edge + (step - 1)) * edge
            distance += (points[axis][near] + corner - place) ** 2
        closer = distance < least
        np.copyto(least, distance, where=closer)
        numbers = np.arange(count**3, dtype=np.uint64).reshape((count,) * 3)
        np.copyto(nearest, numbers[near], where=closer)
    return nearest


def arguments(text: str, *more: tuple[str, type, str]) -> argparse.Namespace:
    """The options that all benchmarks share, and `more` of one: name, type and what it means."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--dvid-url", help="also measure this DVID (token from DVID_ADMIN_TOKEN)")
    parser.add_argument("--size", type=int, default=512, help="edge of the volume in voxels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    for name, kind, meaning in more:
        parser.add_argument(name, type=kind, help=meaning)
    return parser.parse_args()


@contextlib.contextmanager
def servers(options: argparse.Namespace) -> Iterator[dict[str, dvid_array.Server]]:
    """The development server, in a process of its own, and the DVID that was named."""
    with _development() as (url, token):
        found = {"development server": dvid_array.connect(url, admin_token=token)}
        if options.dvid_url:
            token = os.environ.get("DVID_ADMIN_TOKEN", "")
            found["DVID"] = dvid_array.connect(options.dvid_url, admin_token=token)
        yield found


@contextlib.contextmanager
def _development() -> Iterator[tuple[str, str]]:
    import re
    import subprocess
    import sys
    import tempfile

    token = "benchmark"
    with tempfile.TemporaryDirectory() as folder:
        code = (
            "import sys, time, dvid_array\n"
            "s = dvid_array.serve(sys.argv[1], admin_token=sys.argv[2])\n"
            "print('URL', s.url, flush=True)\n"
            "sys.stdin.read()\n"
            "s.stop()\n"
        )
        command = [sys.executable, "-c", code, f"{folder}/store.sqlite", token]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        found = re.search(r"URL (\S+)", process.stdout.readline())
        if not found:
            raise RuntimeError("the development server did not start")
        try:
            yield found[1], token
        finally:
            process.communicate(timeout=30)
