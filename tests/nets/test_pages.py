from __future__ import annotations

import platform
import sys

import numpy as np
import pytest

from understudy.nets.pages import keep_pages


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="of glibc alone"
)
def test_a_megabyte_that_is_taken_again_and_again_is_not_fetched_anew():
    import resource

    def faults() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    keep_pages()
    np.ones(1 << 18, np.float32)
    before = faults()
    for _ in range(40):
        np.ones(1 << 18, np.float32)
    megabytes_of_pages = (1 << 20) // resource.getpagesize() * 40
    assert faults() - before < megabytes_of_pages / 10
