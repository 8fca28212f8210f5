"""Hostile servers by the thousand, before the C tlsproxy(8) 3.7.11 and ours: ours never trusts more.

Where it trusts less, the reason is on the list in `peers.daemon.rivals`. Seed and number make an attack again.
"""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest
from peers.cases.hostile import FLAWS, Attack, Surroundings, attacks
from peers.daemon.rivals import Compared, rivals, totals

FIXED_SEED = 16
IN_TEST, AT_RANDOM, IN_SOAK = 2000, 300, 20_000


def play(directory: Path, seed: int, count: int) -> list[Compared]:
    with rivals(directory) as both:
        return list(both.compare(islice(attacks(seed, Surroundings(directory)), count)))


def judge(seed: int, compared: list[Compared], wanted: int) -> str:
    """Fail if ours is worse, or less trusting without a known reason; return the totals as a line."""
    bad = [each for each in compared if each.worse or (each.less and each.reason is None)]
    assert not bad, f"seed {seed}:\n" + "\n".join(map(str, bad))
    assert len(compared) > 0.9 * wanted
    count = totals(compared)
    assert count["same: 29"] > wanted / 20  # hostile, but not hopeless: else nothing would be shown
    return f"seed {seed}: " + ", ".join(f"{label}: {number}" for label, number in sorted(count.items()))


@pytest.mark.postfix
@pytest.mark.parametrize("seed", [FIXED_SEED, None], ids=["fixed", "random"])
def test_no_hostile_chain_is_trusted_more_than_by_postfix(
    seed: int | None, public_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = AT_RANDOM if seed is None else IN_TEST
    used = random.randrange(1 << 32) if seed is None else seed
    with capsys.disabled():
        print(f"\nhostile chains, {count} of seed {used}", flush=True)
    judge(used, play(public_path, used, count), count)


@pytest.mark.postfix
@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_hostile_chains_in_great_numbers(public_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(1 << 32)
    with capsys.disabled():
        print(f"\nhostile chains, {IN_SOAK} of seed {seed}", flush=True)
        print(judge(seed, play(public_path, seed, IN_SOAK), IN_SOAK))


def test_every_flaw_is_tried_alone_and_in_pairs(tmp_path: Path) -> None:
    alone: set[str] = set()
    together: set[str] = set()
    made: list[Attack] = list(islice(attacks(FIXED_SEED, Surroundings(tmp_path)), IN_TEST))
    for attack in made:
        flaws = [flaw.partition("@")[0] for flaw in attack.flaws]
        (alone if len(flaws) == 1 else together).update(flaws)
    assert alone == together == set(FLAWS)
    assert {each.asked.level for each in made} == {
        *("may", "encrypt", "fingerprint", "half-dane", "dane", "dane-only", "verify", "secure")
    }
    kinds = {record[:3] for each in made for record in each.records}
    assert kinds >= {(usage, selector, mtype) for usage in range(4) for selector in range(2) for mtype in range(3)}
