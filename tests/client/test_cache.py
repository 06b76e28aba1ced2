"""The block cache by itself: bounded, shared, one fetch a block."""

from __future__ import annotations

import numpy as np

from dvid_array.client.cache import BlockCache, CacheInfo


def block(value: int) -> np.ndarray:
    return np.full((1, 10, 10, 10), value, np.uint8)


def test_a_claim_shares_out_blocks() -> None:
    cache = BlockCache()
    first = cache.claim(["a", "b"])
    assert first.mine == ["a", "b"]
    second = cache.claim(["a", "c"])
    assert list(second.theirs) == ["a"]
    assert second.mine == ["c"]
    cache.fill("a", block(1), 10_000)
    assert second.theirs["a"].is_set()
    assert cache.claim(["a"]).found["a"] is not None


def test_blocks_given_back_are_claimed_again() -> None:
    cache = BlockCache()
    cache.claim(["a"])
    waiting = cache.claim(["a"]).theirs["a"]
    cache.give_back(["a"])
    assert waiting.is_set()
    assert cache.claim(["a"]).mine == ["a"]


def test_the_block_unused_longest_goes_first() -> None:
    cache = BlockCache()
    for key in "abc":
        cache.claim([key])
        cache.fill(key, block(0), 3000)
    cache.claim(["a"])
    cache.claim(["d"])
    cache.fill("d", block(0), 3000)
    assert cache.bytes == 3000
    assert cache.claim(["b"]).mine == ["b"]
    assert "a" in cache.claim(["a"]).found


def test_what_it_tells_of_itself() -> None:
    cache = BlockCache()
    cache.claim(["a", "b"])
    cache.fill("a", block(0), 9000)
    cache.fill("b", None, 9000)
    cache.claim(["a", "b", "c"])
    cache.claim(["c"])
    assert cache.info(kept=True, limit=9000) == CacheInfo(
        kept=True, hits=2, misses=3, blocks=2, nbytes=1200, limit=9000
    )


def test_a_block_larger_than_the_limit_is_not_kept() -> None:
    cache = BlockCache()
    cache.claim(["a"])
    cache.fill("a", block(0), 10)
    assert cache.bytes == 0
    assert cache.claim(["a"]).mine == ["a"]
