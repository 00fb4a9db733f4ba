"""Rows that are learned from together."""

import numpy as np
import pytest

from understudy.data.batch import Batch


def batch(acted, rows=2):
    acted = np.array(acted, np.float32)
    return Batch(
        obs={},
        code=np.zeros((rows, acted.shape[1], 1), np.float32),
        acted=acted,
        fresh=np.zeros(acted.shape, bool),
    )


def test_shares_sum_to_one_and_padding_weighs_nothing():
    share = batch([[1, 1], [1, 0]]).share
    assert share[1, 1] == 0
    assert share[share > 0] == pytest.approx([1 / 3] * 3)


def test_a_row_that_only_says_what_came_next_has_no_share():
    share = batch([[1, 1], [1, 0], [1, 1]]).share
    assert share.shape == (2, 2)
    assert share.sum() == pytest.approx(1)


def test_what_is_known_leaves_out_the_row_that_only_says_what_came_next():
    ahead = batch([[1, 1], [1, 0], [1, 1]])
    ahead.obs["x"] = np.arange(6).reshape(3, 2)
    known = ahead.known
    assert known.obs["x"].tolist() == [[0, 1], [2, 3]]
    assert known.acted.shape == known.fresh.shape == (2, 2)
    assert np.shares_memory(known.code, ahead.code)
    assert known.known.acted.shape == (2, 2), "where there is no such row, nothing is left out"
    np.testing.assert_array_equal(known.share, ahead.share)


def test_rows_that_warm_a_memory_or_say_what_came_of_others_have_no_share():
    # One row warms, two are learned from, and targets reach two rows further than the next.
    long = batch([[1], [1], [0], [1], [1], [1]], rows=5)
    long.burn_in, long.n_step = 1, 3
    long.obs["x"] = np.arange(6)[:, None]
    assert long.length == 2
    assert long.share.tolist() == [[1], [0]]
    assert long.known.obs["x"][:, 0].tolist() == [0, 1, 2]
    assert (long.known.burn_in, long.known.n_step, long.known.length) == (1, 1, 2)
    np.testing.assert_array_equal(long.known.share, long.share)


def test_rows_are_cut_out_of_everything_that_has_rows():
    whole = batch([[1, 1], [1, 0], [1, 1]])
    whole.reward = np.arange(4).reshape(2, 2)
    cut = whole.rows(1)
    assert (cut.acted.shape, cut.code.shape) == ((2, 2), (1, 2, 1))
    assert cut.reward.tolist() == [[2, 3]]
    assert cut.terminated is None
