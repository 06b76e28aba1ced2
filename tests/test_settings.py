"""Settings: frozen, checked, and free of credentials."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from dvid_array import Settings
from dvid_array.memory import available


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"connect_timeout": -1}, "connect_timeout is -1"),
        ({"read_timeout": -0.5}, "read_timeout"),
        ({"cache_bytes": -1}, "cache_bytes"),
        ({"max_bytes": -1}, "max_bytes"),
        ({"threads": 0}, "threads is 0"),
        ({"request_bytes": 0}, "request_bytes is 0"),
        ({"query": (("roi", "x"), ("scale", "1"))}, "holds scale, which the client says itself"),
        ({"query": (("admintoken", "x"),)}, "admintoken"),
        ({"transport": "smoke"}, "'smoke'; choose one of auto"),
    ],
)
def test_wrong_values_are_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threads": 2.5},
        {"read_timeout": "5"},
        {"leases": True},
        {"trim_extents": 1},
        {"max_bytes": "1 GB"},
    ],
    ids=str,
)
def test_wrong_types_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"Settings.{next(iter(wrong))} is .*; it takes "):
        Settings(**wrong)


def test_frozen_equal_and_picklable() -> None:
    settings = Settings(threads=2)
    with pytest.raises(FrozenInstanceError):
        settings.threads = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(settings)) == settings != Settings()
    assert replace(settings, threads=4) == Settings()
    assert not [f.name for f in fields(Settings) if "token" in f.name or "user" in f.name]


def test_the_limit_follows_memory() -> None:
    assert Settings(max_bytes=5).read_limit == 5
    assert Settings(max_bytes=0).read_limit == 0
    assert 0 < Settings().read_limit < available()
