import numpy as np

from understudy.nets.flat import Flat
from understudy.nets.parameter import parameter
from understudy.ops.cost import Cost


def test_a_bare_parameter_takes_its_own_gradient():
    flat = Flat(5)
    first, second = parameter(flat, "first", 3), parameter(flat, "second", 2)
    flat.value[:] = range(5)
    assert second.array.tolist() == [3, 4]
    Cost(seeds=[(first, np.ones(3)), (second, np.full(2, 2.0))]).backward()
    assert flat.grad.tolist() == [1, 1, 1, 2, 2]
