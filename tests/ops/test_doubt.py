"""How far policies are from each other, by hand."""

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.spec import ActionSpec
from understudy.ops.doubt import disagreement, discrepancy, expected_codes
from understudy.ops.product import Product

HYBRID = Product(ActionSpec(continuous=1, low=(-2,), high=(2,), branches=(2,)))


def head(mean, logit, log_std=0.0):
    """Of a number, a choice of two with these odds, and a deviation that does not matter."""
    return [mean, logit, 0.0, log_std]


def test_what_a_head_does_on_average_is_its_means_and_chances():
    code = expected_codes(HYBRID, np.array([head(0.5, np.log(3.0))], np.float32))
    assert code[0] == pytest.approx([0.5, 0.75, 0.25])


def test_disagreement_is_the_root_of_the_mean_variance():
    heads = np.array([[head(0.0, 0.0)], [head(1.0, np.log(3.0))]], np.float32)
    # Variances over two members: (1 / 2)^2 of the number, (0.25 / 2)^2 of each chance.
    expected = np.sqrt((0.25 + 2 * 0.125**2) / 3)
    assert disagreement(HYBRID, heads) == pytest.approx([expected])


def test_members_that_do_the_same_do_not_disagree_however_sure_they_are():
    heads = np.array([[head(0.3, 1.0, -3)], [head(0.3, 1.0, 2)]], np.float32)
    assert disagreement(HYBRID, heads) == [0]


def test_a_choice_brings_a_doubt_of_one_half_at_most():
    dist = Product(ActionSpec(branches=(2,)))
    heads = np.array([[[50.0, 0.0]], [[0.0, 50.0]]], np.float32)
    assert disagreement(dist, heads) == pytest.approx([0.5])


def test_heads_with_huge_logits_have_chances():
    dist = Product(ActionSpec(branches=(3,)))
    assert expected_codes(dist, np.array([[1e8, 0, -1e8]], np.float32)).tolist() == [[1, 0, 0]]


def test_discrepancy_is_in_units_of_half_the_range_and_1_where_a_choice_differs():
    one = Action(np.zeros((4, 1), np.float32), np.zeros((4, 1), np.int64))
    numbers = np.array([[0], [0.5], [0.5], [-4]], np.float32)
    other = Action(numbers, np.array([[0], [0], [1], [1]]))
    assert discrepancy(HYBRID, one, other) == pytest.approx([0, 0.25, 1, 2])
    assert discrepancy(HYBRID, other, one) == pytest.approx([0, 0.25, 1, 2])
