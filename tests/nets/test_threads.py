from __future__ import annotations

import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from understudy.nets.threads import SMALL, fitting_threads


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info()}


def test_a_small_network_uses_one_thread_and_leaves_the_others_as_they_were():
    with threadpool_limits(2):
        before = threads()
        for _ in range(2):
            with fitting_threads(SMALL - 1):
                assert threads() == {1}
            assert threads() == before
        with fitting_threads(SMALL):
            assert threads() == before


@pytest.mark.parametrize("first", ["numpy", "torch"])
def test_libraries_that_torch_brings_are_found_whenever_it_comes(first):
    program = (
        f"import {first}; from threadpoolctl import threadpool_info, threadpool_limits\n"
        "from understudy.nets.threads import fitting_threads\n"
        "with fitting_threads(1): pass\n"
        "import torch; threadpool_limits(2)\n"
        "with fitting_threads(1): print({x['num_threads'] for x in threadpool_info()})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{1}"
