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


def arguments(text: str) -> argparse.Namespace:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--dvid-url", help="also measure this DVID (token from DVID_ADMIN_TOKEN)")
    parser.add_argument("--size", type=int, default=512, help="edge of the volume in voxels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
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
