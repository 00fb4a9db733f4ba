"""Recurrent cells over whole sequences in numpy: forward, and back through time by hand.

A cell that torch steps through costs a dozen nodes of its tape a row, and their calls cost more
than the arithmetic. Here a row is ten calls, gradients of the weights are one product over all
rows, and an episode may begin anywhere in the sequence, which fused kernels do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.nets.flat import F32, Vector

Flags = NDArray[np.bool_]
Cell = Literal["lstm", "gru"]
_HALF = F32(0.5)


class Gradients(NamedTuple):
    """Of a loss, at everything that a sequence was made from; shapes as in `lstm`."""

    said: Vector
    weight: Vector
    bias: Vector
    start: tuple[Vector, ...]


class Traced(NamedTuple):
    """What a cell remembered.

    Attributes:
        trace: `[L + 1, B, H]` every memory before every row and after the last.
        back: From the gradients there (None for nothing) to those at what it was made from.
    """

    trace: tuple[Vector, ...]
    back: Callable[[Sequence[Vector | None]], Gradients]


def lstm(
    said: Vector, weight: Vector, bias: Vector, start: Sequence[Vector], fresh: Flags
) -> Traced:
    """A long short-term memory (Hochreiter and Schmidhuber, 1997) with a forget gate.

    Gers et al. (2000), doi:10.1162/089976600300015015: `c' = f c + i g`, `h' = o tanh c'`.

    Args:
        said: `[L, B, 4H]` what the rows say to the gates: input, forget, cell and output.
        weight: `[4H, H]` what the memory shown says to them.
        bias: `[4H]` added to both.
        start: `[B, H]` memory before the first row: what is shown, and what is kept.
        fresh: `[L, B]` bool, an episode begins here: what came before is forgotten.
    """
    rows, count, four = said.shape
    width = four // 4
    shown, kept = (np.empty((rows + 1, count, width), F32) for _ in range(2))
    shown[0], kept[0] = start
    gates, squashed = np.empty((rows, count, four), F32), np.empty((rows, count, width), F32)
    # A logistic function is a hyperbolic tangent, so that one call serves four gates.
    scale, offset = np.full(four, _HALF), np.full(four, _HALF)
    scale[2 * width : 3 * width], offset[2 * width : 3 * width] = 1, 0
    halved, scaled = (said + bias) * scale, (weight * scale[:, None]).T.copy()
    scale, offset = (np.broadcast_to(x, (count, four)).copy() for x in (scale, offset))
    spare = np.empty((count, width), F32)
    keep = _keep(fresh)
    for t in range(rows):
        h, c, a, c_next = shown[t], kept[t], gates[t], kept[t + 1]
        if keep[t] is not None:
            h, c = h * keep[t], c * keep[t]
        np.dot(h, scaled, out=a)
        a += halved[t]
        np.tanh(a, out=a)
        a *= scale
        a += offset
        i, f, g, o = _parts(a, 4)
        np.multiply(f, c, out=c_next)
        np.multiply(i, g, out=spare)
        c_next += spare
        np.tanh(c_next, out=squashed[t])
        np.multiply(o, squashed[t], out=shown[t + 1])

    def back(gradients: Sequence[Vector | None]) -> Gradients:
        h_before, c_before = _forgotten(shown[:-1], fresh), _forgotten(kept[:-1], fresh)
        i, f, g, o = _parts(gates, 4)
        to_cell = o * (1 - squashed * squashed)
        # What a gradient at the cell, and for the last gate at the output, is multiplied by.
        slopes = gates * (1 - gates)
        into_i, into_f, into_g, into_o = _parts(slopes, 4)
        into_i *= g
        into_f *= c_before
        np.multiply(i, 1 - g * g, out=into_g)
        into_o *= squashed
        slopes = slopes.reshape(rows, count, 4, width)
        d_said = np.empty((rows, count, 4, width), F32)
        d_shown, d_kept = gradients
        d_h, d_c = _last(d_shown, spare), _last(d_kept, spare)
        for t in range(rows - 1, -1, -1):
            np.multiply(d_h, slopes[t, :, 3], out=d_said[t, :, 3])
            d_c += d_h * to_cell[t]
            np.multiply(d_c[:, None], slopes[t, :, :3], out=d_said[t, :, :3])
            d_h = np.dot(d_said[t].reshape(count, four), weight)
            d_c *= f[t]
            _let_go(d_h, keep[t], d_shown, t)
            _let_go(d_c, keep[t], d_kept, t)
        return _gathered(d_said.reshape(said.shape), d_said, h_before, (d_h, d_c))

    return Traced((shown, kept), back)


def gru(
    said: Vector, weight: Vector, bias: Vector, start: Sequence[Vector], fresh: Flags
) -> Traced:
    """A gated recurrent unit (Cho et al., 2014, section 2.3, arXiv:1406.1078).

    Its reset gate is applied behind the product, as in `torch.nn.GRU`:
    `n = tanh(said + r (W h + b))`, `h' = (1 - z) n + z h`.

    Args:
        said: `[L, B, 3H]` what the rows say to the gates: reset, update and new.
        weight: `[3H, H]` what the memory says to them.
        bias: `[3H]` added to that.
        start: `[B, H]` memory before the first row.
        fresh: `[L, B]` bool, an episode begins here: what came before is forgotten.
    """
    rows, count, three = said.shape
    width = three // 3
    shown = np.empty((rows + 1, count, width), F32)
    shown[0] = start[0]
    gates, asked = np.empty((rows, count, three), F32), np.empty((rows, count, width), F32)
    turned, told = weight.T.copy(), np.empty((count, three), F32)
    keep = _keep(fresh)
    for t in range(rows):
        h, a, h_next = shown[t], gates[t], shown[t + 1]
        if keep[t] is not None:
            h = h * keep[t]
        np.dot(h, turned, out=told)
        np.add(told, bias, out=told)
        asked[t] = told[:, 2 * width :]
        r_and_z, n = a[:, : 2 * width], a[:, 2 * width :]
        np.add(told[:, : 2 * width], said[t, :, : 2 * width], out=r_and_z)
        r_and_z *= _HALF
        np.tanh(r_and_z, out=r_and_z)
        r_and_z *= _HALF
        r_and_z += _HALF
        np.multiply(a[:, :width], asked[t], out=n)
        n += said[t, :, 2 * width :]
        np.tanh(n, out=n)
        np.subtract(h, n, out=h_next)
        h_next *= a[:, width : 2 * width]
        h_next += n

    def back(gradients: Sequence[Vector | None]) -> Gradients:
        before = _forgotten(shown[:-1], fresh)
        r, z, n = _parts(gates, 3)
        into_n, into_z, into_r = (1 - z) * (1 - n * n), (before - n) * z * (1 - z), r * (1 - r)
        into_r *= asked
        d_said, d_told = (np.empty((rows, count, three), F32) for _ in range(2))
        (d_shown,) = gradients
        d_h = _last(d_shown, shown[0])
        for t in range(rows - 1, -1, -1):
            d_r, d_z, d_n = _parts(d_said[t], 3)
            np.multiply(d_h, into_n[t], out=d_n)
            np.multiply(d_h, into_z[t], out=d_z)
            np.multiply(d_n, into_r[t], out=d_r)
            d_told[t, :, : 2 * width] = d_said[t, :, : 2 * width]
            np.multiply(d_n, r[t], out=d_told[t, :, 2 * width :])
            d_h = d_h * z[t] + np.dot(d_told[t], weight)
            _let_go(d_h, keep[t], d_shown, t)
        return _gathered(d_said, d_told, before, (d_h,))

    return Traced((shown,), back)


def _keep(fresh: Flags) -> list[Vector | None]:
    """For every row `[B, 1]` 1 or 0 for those who forget; None where nobody does."""
    rows = (~fresh)[..., None].astype(F32)
    return [
        row if forgets else None for row, forgets in zip(rows, np.any(fresh, axis=1), strict=True)
    ]


def _forgotten(before: Vector, fresh: Flags) -> Vector:
    return np.where(fresh[..., None], F32(0), before)


def _parts(x: Vector, count: int) -> list[Vector]:
    """Views of the equal parts of the last axis."""
    width = x.shape[-1] // count
    return [x[..., k * width : (k + 1) * width] for k in range(count)]


def _last(gradient: Vector | None, like: Vector) -> Vector:
    return np.zeros_like(like) if gradient is None else gradient[-1].copy()


def _let_go(gradient: Vector, keep: Vector | None, outer: Vector | None, t: int) -> None:
    """From the memory that a row used to the one before it, in place."""
    if keep is not None:
        gradient *= keep
    if outer is not None:
        gradient += outer[t]


def _gathered(
    d_said: Vector, d_told: Vector, before: Vector, start: tuple[Vector, ...]
) -> Gradients:
    told = d_told.reshape(-1, d_said.shape[-1])
    weight = np.dot(told.T, before.reshape(len(told), -1))
    return Gradients(d_said, weight, told.sum(0), start)


class CellKind(NamedTuple):
    """What a cell is like.

    Attributes:
        walk: Through a sequence; see `lstm`.
        names: Of what it remembers; `h` is what is shown.
        gates: How many.
        open: The gate whose offset is 1 at first, so that it remembers (Jozefowicz et al., 2015,
            section 2.2); None where there is no such gate.
    """

    walk: Callable[[Vector, Vector, Vector, Sequence[Vector], Flags], Traced]
    names: tuple[str, ...]
    gates: int
    open: int | None


CELLS: dict[Cell, CellKind] = {
    "lstm": CellKind(lstm, ("h", "c"), 4, 1),
    "gru": CellKind(gru, ("h",), 3, None),
}
"""Cells by the name that `NetConfig.cell` gives them."""
