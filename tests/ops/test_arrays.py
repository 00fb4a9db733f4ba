from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.ops.arrays import columns, highest, module_of


@pytest.mark.parametrize("lead", [(), (4,), (2, 4)])
def test_columns_stand_by_themselves_in_both_kinds_of_array(lead):
    x = np.random.default_rng(0).standard_normal((*lead, 3)).astype(np.float32)
    expected = np.stack([x[..., k].reshape(-1) for k in range(3)])
    turned = columns(x[..., :])
    assert np.array_equal(turned, expected)
    assert turned.flags.c_contiguous
    assert np.array_equal(columns(torch.from_numpy(x)).numpy(), expected)


def test_highest_is_along_the_first_axis_in_both_kinds_of_array():
    x = np.array([[1.0, -2.0, 5.0], [0.0, 3.0, 5.0]])
    assert highest(x).tolist() == [1, 3, 5]
    assert highest(torch.from_numpy(x)).tolist() == [1, 3, 5]


def test_an_array_knows_its_module():
    assert module_of(np.float32(1)) is np
    assert module_of(torch.zeros(2)) is torch
