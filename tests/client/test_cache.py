"""The block cache by itself: bounded, shared, one fetch a block."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dvid_array.client.cache import BlockCache, CacheInfo, Claim


def block(value: int) -> np.ndarray:
    return np.full((1, 10, 10, 10), value, np.uint8)


def claimed(cache: BlockCache, keys: Iterable[str], *, wait: bool = True) -> Claim:
    """What a reader gets of some blocks."""
    claim = Claim()
    cache.claim(keys, claim, wait=wait)
    return claim


def test_a_claim_shares_out_blocks() -> None:
    cache = BlockCache()
    first = claimed(cache, "ab")
    assert [*first.mine] == ["a", "b"]
    second = claimed(cache, "ac")
    assert [*second.theirs] == ["a"]
    assert [*second.mine] == ["c"]
    cache.fill("a", block(1), 10_000)
    assert second.theirs["a"].is_set()
    assert claimed(cache, "a").found["a"] is not None


def test_blocks_given_back_are_claimed_again() -> None:
    cache = BlockCache()
    first = claimed(cache, "a")
    waiting = claimed(cache, "a").theirs["a"]
    cache.give_back(first)
    assert waiting.is_set()
    assert [*claimed(cache, "a").mine] == ["a"]


def test_only_what_is_ones_own_is_given_back() -> None:
    """A block may be gone again, and another reader fetching it, before its first reader ends."""
    cache = BlockCache()
    first = claimed(cache, "a")
    cache.fill("a", block(1), 10)
    claimed(cache, "a")
    cache.give_back(first)
    third = claimed(cache, "a")
    assert [*third.theirs] == ["a"]
    assert not third.theirs["a"].is_set()


def test_who_does_not_wait_fetches() -> None:
    cache = BlockCache()
    first = claimed(cache, "a")
    waiting = claimed(cache, "a").theirs["a"]
    second = claimed(cache, "ab", wait=False)
    assert [*second.mine] == ["a", "b"]
    cache.give_back(first)
    assert waiting.is_set()
    assert [*claimed(cache, "a").theirs] == ["a"]


def test_the_block_unused_longest_goes_first() -> None:
    cache = BlockCache()
    for key in "abc":
        cache.fill(key, block(0), 3000)
    claimed(cache, "a")
    cache.fill("d", block(0), 3000)
    assert cache.bytes == 3000
    assert [*claimed(cache, "b").mine] == ["b"]
    assert "a" in claimed(cache, "a").found


def test_what_it_tells_of_itself() -> None:
    cache = BlockCache()
    claimed(cache, "ab")
    cache.fill("a", block(0), 9000)
    cache.fill("b", None, 9000)
    claimed(cache, "abc")
    claimed(cache, "c")
    assert cache.info(kept=True, limit=9000) == CacheInfo(
        kept=True, hits=2, misses=3, blocks=2, nbytes=1200, limit=9000
    )


def test_a_block_larger_than_the_limit_is_not_kept() -> None:
    """Nor does it drive others out."""
    cache = BlockCache()
    cache.fill("a", block(0), 1500)
    cache.fill("b", np.zeros((1, 20, 10, 10), np.uint8), 1500)
    assert cache.bytes == 1000
    assert "a" in claimed(cache, "a").found
    assert [*claimed(cache, "b").mine] == ["b"]


def test_it_stays_within_its_bytes_under_threads() -> None:
    """Blocks of all sizes come and go, some of them twice; never is there a byte too much, and in
    the end nobody waits."""
    cache, limit, beyond = BlockCache(), 5000, []

    def use(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for number in rng.integers(0, 12, 400):
            claim = claimed(cache, [str(number), str(number + 1)], wait=bool(seed % 2))
            for key in claim.mine:
                size = int(rng.integers(1, 2000))
                cache.fill(key, np.zeros(size, np.uint8) if size > 200 else None, limit)
                info = cache.info(kept=True, limit=limit)
                if not 0 <= info.nbytes <= limit:
                    beyond.append(info)
            cache.give_back(claim)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(use, range(6)))
    assert not beyond
    left = claimed(cache, map(str, range(13)))
    assert not left.theirs
    held = [200 if one is None else one.nbytes for one in left.found.values()]
    assert sum(held) == cache.bytes <= limit
