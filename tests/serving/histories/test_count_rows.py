"""Rows of counts: what bytes hold, what folding keeps, and sums over many keys."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.artifacts.history_state import BEFORE_ALL
from feature_spec.histories.history_values import window_begin_us
from serving.histories.count_rows import CountSums, RowCodec, folded, merged

# A count of a task with whole labels, and of one with others: time, shown, seen, sum, sum.
CODEC = RowCodec(2, (True, False))
SECOND_US = 1_000_000
times = st.one_of(st.just(BEFORE_ALL), st.integers(1, 40_000).map(lambda s: s * SECOND_US))
numbers = st.integers(-(2**40), 2**40)
row = st.tuples(
    times, numbers, numbers, numbers.map(lambda n: n << 16), st.integers(-(2**60), 2**60)
)


def table(rows):
    return np.array(rows, np.int64).reshape(-1, 5)


@given(st.lists(row, max_size=6))
def test_bytes_hold_every_number_exactly_in_as_many_rows_as_it_takes(rows):
    decoded = CODEC.decoded(CODEC.encoded(table(rows)))
    assert merged(decoded).tolist() == merged(table(rows)).tolist()


def test_a_row_takes_four_bytes_a_number_and_four_more_for_sums_that_are_not_whole():
    value = CODEC.encoded(table([(7 * SECOND_US, 1, 1, 65536, 3)]))
    assert len(value) == 4 * 6


@given(
    st.lists(st.lists(row, max_size=4), max_size=5), st.integers(0, 50_000), st.integers(0, 50_000)
)
def test_sums_are_those_of_the_rows_between_two_times(keys, begin_s, end_s):
    values = [CODEC.encoded(table(rows)) or None for rows in keys]
    begin_us, end_us = begin_s * SECOND_US, end_s * SECOND_US
    for begin in (None, begin_us):
        found = CountSums(values, CODEC).between(begin, end_us).T.tolist()
        least = BEFORE_ALL if begin is None else max(begin, SECOND_US)
        expected = [
            [sum(r[i] for r in rows if least <= r[0] < max(end_us, SECOND_US)) for i in range(1, 5)]
            for rows in keys
        ]
        assert found == expected


@given(
    st.lists(row, max_size=12),
    st.sampled_from([[], [300], [300, 20_000]]),
    st.integers(1, 50_000),
    st.integers(0, 9_000),
)
def test_folding_changes_no_sum_of_a_later_cutoff(rows, windows_s, cutoff_s, later_s):
    cutoff_us, at_us = cutoff_s * SECOND_US, (cutoff_s + later_s) * SECOND_US
    short = folded(table(rows), windows_s, cutoff_us)
    assert len(short) <= len(rows)
    for window_s in windows_s or [None]:
        begin_us = BEFORE_ALL
        if window_s is not None:
            begin_us = int(window_begin_us(np.array([at_us]), window_s)[0])
        for whole in (table(rows), short):
            within = whole[(whole[:, 0] >= begin_us) & (whole[:, 0] < at_us)]
            sums = within[:, 1:].sum(axis=0).tolist()
            assert sums == [
                sum(r[i] for r in rows if begin_us <= r[0] < at_us) for i in range(1, 5)
            ]
