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
    assert known.code is ahead.code
    assert known.known.acted.shape == (2, 2), "where there is no such row, nothing is left out"
    np.testing.assert_array_equal(known.share, ahead.share)
