"""Configurations: every setting that DVID would ignore or misread is refused, and named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dvid_array.box import Box
from dvid_array.facts import KINDS, kind_of
from dvid_array.protocol import configs


def config(**settings: Any) -> dict[str, str]:
    usual: dict[str, Any] = {
        "extents": None,
        "block": (32, 32, 32),
        "resolution": 1,
        "units": "nanometers",
        "max_scale": None,
        "background": 0,
        "compression": None,
    }
    kind = kind_of(settings.pop("kind", "uint8blk"))
    return configs.volume_config(kind, settings.pop("name", "v"), **(usual | settings))


def test_what_a_new_volume_is_told() -> None:
    assert config() == {
        "typename": "uint8blk",
        "dataname": "v",
        "BlockSize": "32,32,32",
        "VoxelSize": "1.0,1.0,1.0".replace(".0", ""),
        "VoxelUnits": "nanometers,nanometers,nanometers",
    }
    assert config(
        kind="labelmap",
        extents=Box((-5, 0, 3), (10, 20, 30)),
        block=(64, 32, 16),
        resolution=(0.1, np.float32(8), 40),
        units=("nm", "nm", "um"),
        max_scale=3,
        background=9,
        compression="gzip",
    ) == {
        "typename": "labelmap",
        "dataname": "v",
        "BlockSize": "64,32,16",
        "VoxelSize": "0.10000000000000001,8,40",
        "VoxelUnits": "nm,nm,um",
        "MinPoint": "-5,0,3",
        "MaxPoint": "9,19,29",
        "MaxDownresLevel": "3",
        "Background": "9",
        "Compression": "gzip",
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("extents", "scales"),
    [
        (None, None),
        (Box((0, 0, 0), (600, 1, 1)), "2"),
        (Box((0, 0, 0), (1, 1, 1)), "1"),
        (Box((0, 0, -1), (600, 1, 1)), None),  # scales shut out negative coordinates
    ],
)
def test_labels_get_scales_when_their_extents_are_known(
    kind: str, extents: Box | None, scales: str | None
) -> None:
    told = config(kind=kind, extents=extents).get("MaxDownresLevel")
    assert told == (scales if kind in ("labelmap", "labelarray") else None)
    assert "MaxDownresLevel" not in config(kind=kind, extents=extents, max_scale=0)


def test_scales_of_an_image_are_instances() -> None:
    usual: dict[str, Any] = {
        "block": (32, 32, 32),
        "units": "nm",
        "background": 3,
        "compression": None,
    }
    made = configs.volume_configs(
        kind_of("uint8blk"),
        "v",
        max_scale=2,
        extents=Box((0, 0, 0), (5, 9, 1)),
        resolution=(1, 2, 0.5),
        **usual,
    )
    assert [(one["dataname"], one["MaxPoint"], one["VoxelSize"]) for one in made] == [
        ("v", "4,8,0", "1,2,0.5"),
        ("v_1", "2,4,0", "2,4,1"),
        ("v_2", "1,2,0", "4,8,2"),
    ]
    assert {one["Background"] for one in made} == {"3"}
    labels = configs.volume_configs(
        kind_of("labelmap"), "v", max_scale=2, extents=None, resolution=1, **usual
    )
    assert [(one["dataname"], one["MaxDownresLevel"]) for one in labels] == [("v", "2")]
    for wrong in (-1, 31):
        with pytest.raises(ValueError, match=f"max_scale={wrong} is not between 0 and 30"):
            configs.volume_configs(
                kind_of("uint8blk"), "v", max_scale=wrong, extents=None, resolution=1, **usual
            )


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_has_a_configuration(kind: str) -> None:
    assert config(kind=kind)["typename"] == kind


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"block": (0, 32, 32)}, "block"),
        ({"block": (-32, 32, 32)}, "block"),
        ({"kind": "labelmap", "block": (24, 32, 32)}, "multiples of 16"),
        ({"extents": Box((0, 0, 0), (0, 1, 1))}, "shape"),
        ({"extents": Box((5, 0, 0), (4, 1, 1))}, r"from \(5, 0, 0\) on"),
        ({"max_scale": 1}, "is an instance of its own"),
        ({"kind": "labelblk", "max_scale": 1}, "is an instance of its own"),
        ({"max_scale": -1}, "max_scale=-1"),
        ({"kind": "labelmap", "max_scale": 31}, "max_scale=31: a labelmap has scales 0 to 30"),
        ({"background": 256}, "background=256"),
        ({"background": -1}, "background=-1"),
        ({"compression": "zip"}, "zip"),
        ({"compression": "jpeg:80"}, "jpeg:80"),
        ({"resolution": (1, 2)}, "resolution"),
        ({"resolution": 0}, "resolution=0"),
        ({"resolution": (1, -1, 1)}, "resolution"),
        ({"resolution": float("nan")}, "resolution"),
        ({"resolution": float("inf")}, "resolution"),
        ({"units": ("nm", "nm")}, "units"),
        ({"units": "a,b"}, "units"),
        ({"units": ""}, "units"),
        ({"name": ""}, "''"),
        ({"name": "a/b"}, "a/b"),
        ({"name": "a?b"}, "a.b"),
    ],
)
def test_what_dvid_would_ignore_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**settings)
