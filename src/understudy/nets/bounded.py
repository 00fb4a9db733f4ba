"""Weights that stretch nothing by more than they may."""

from __future__ import annotations

import numpy as np

from understudy.nets.flat import Flat


def bound(flat: Flat, most: float) -> None:
    """Make every matrix that stretches some row by more than `most` stretch none by more.

    The nearest matrix of that spectral norm along the ray of the weights, after every step of the
    optimizer (Gouk et al., 2021, "Regularisation of neural networks by enforcing Lipschitz
    continuity", algorithm 1, arXiv:1804.04368). A kernel of a convolution counts as the matrix of
    its outputs by all else.

    Args:
        flat: The parameters; changed in place.
        most: The largest singular value that is left, above 0.
    """
    for matrix in flat.matrices():
        rows = matrix.reshape(len(matrix), -1)
        stretch = float(np.linalg.norm(rows, 2)) if rows.size else 0.0
        if stretch > most:
            matrix *= np.float32(most / stretch)
