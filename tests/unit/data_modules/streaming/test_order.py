from __future__ import annotations

import numpy as np
import pytest
from xpress.data_modules.streaming.order import ReaderRank, ShuffleBuffer, batches_of, share_of

COUNTS = [7, 7, 3, 0, 11, 5, 1, 26]


def rows_of(parts) -> list[tuple[int, int]]:
    return [(part.group, row) for part in parts for row in range(part.start, part.stop)]


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize(("world", "workers"), [(1, 1), (2, 3), (3, 2), (4, 1)])
def test_readers_share_all_rows_without_repeating(world, workers, drop_last):
    order = np.random.default_rng(1).permutation(len(COUNTS))
    read, batches = [], []
    for rank in range(world):
        places = [ReaderRank(rank, world, worker, workers) for worker in range(workers)]
        shares = [share_of(COUNTS, 4, place, drop_last, order) for place in places]
        batches.append(sum(share.batches for share in shares))
        assert batches[-1] == batches_of(60, 4, rank, world, drop_last)
        # batch i comes from worker i % workers, so the first ones may have one more
        counts = [share.batches for share in shares]
        assert counts == sorted(counts, reverse=True)
        assert max(counts) - min(counts) <= 1
        read += [row for share in shares for row in rows_of(share.parts)]
    assert len(read) == len(set(read))
    everything = {(group, row) for group, count in enumerate(COUNTS) for row in range(count)}
    assert set(read) <= everything
    if drop_last:
        assert len(set(batches)) == 1
        assert len(everything) - len(read) < 4 * world
    else:
        assert set(read) == everything


def test_a_short_epoch_reads_the_first_groups_of_its_order():
    order = np.array([7, 0, 1, 2, 3, 4, 5, 6])
    share = share_of(COUNTS, 4, ReaderRank(), True, order, most=3)
    assert share.batches == 3
    assert rows_of(share.parts) == [(7, row) for row in range(12)]


def follow(lengths, capacity, batch, rng):
    buffer = ShuffleBuffer(lengths, capacity, rng)
    drawn, held = [], []
    while len(positions := buffer.draw(batch)):
        held.append(len(buffer.held) + len(positions))
        drawn.append(positions)
    return np.concatenate(drawn), max(held)


def test_the_buffer_lets_every_row_go_once_and_holds_few():
    lengths = [7] * 40
    drawn, held = follow(lengths, 30, 4, np.random.default_rng(0))
    assert sorted(drawn.tolist()) == list(range(280))
    assert held < 30 + 7
    # rows travel: a plain order would have every step forward by one
    assert (np.diff(drawn) == 1).mean() < 0.1


def test_the_order_is_that_of_its_seed():
    a, b, c = (follow([5] * 9, 20, 4, np.random.default_rng(s))[0] for s in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_without_a_seed_rows_stay_in_order():
    drawn, held = follow([7, 2, 9], 0, 4, None)
    assert drawn.tolist() == list(range(18))
    assert held <= 4 + 9
