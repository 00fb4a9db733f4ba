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
Step = Callable[[Vector, Vector, Vector, Sequence[Vector], Flags], tuple[Vector, ...]]
"""One row `[B, ...]` of what `lstm` takes -> every memory after it, in arrays of its own."""
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
        weight: `[H, 4H]` what the memory shown says to them.
        bias: `[4H]` added to both.
        start: `[B, H]` memory before the first row: what is shown, and what is kept.
        fresh: `[L, B]` bool, an episode begins here: what came before is forgotten.
    """
    rows, count, four = said.shape
    width = four // 4
    shown, kept = (np.empty((rows + 1, count, width), F32) for _ in range(2))
    shown[0], kept[0] = start
    gates, squashed = np.empty((rows, count, four), F32), np.empty((rows, count, width), F32)
    row = _lstm_row(count, width)
    weight, keep = np.ascontiguousarray(weight), _keep(fresh)
    for t in range(rows):
        h, c = shown[t], kept[t]
        if keep[t] is not None:
            h, c = h * keep[t], c * keep[t]
        row(said[t], weight, bias, h, c, gates[t], squashed[t], shown[t + 1], kept[t + 1])

    def back(gradients: Sequence[Vector | None]) -> Gradients:
        h_before, c_before = _forgotten(shown[:-1], fresh), _forgotten(kept[:-1], fresh)
        i, f, g, o = _parts(gates, 4)
        to_cell = o * (1 - squashed * squashed)
        # At first what a gradient at the cell, and for the last gate one at the output, is
        # multiplied by: one array, since fresh memory is a good part of the cost.
        d_said = np.subtract(1, gates)
        d_said *= gates
        into_i, into_f, into_g, into_o = _parts(d_said, 4)
        into_i *= g
        into_f *= c_before
        np.multiply(i, 1 - g * g, out=into_g)
        into_o *= squashed
        d_gates = d_said.reshape(rows, count, 4, width)
        turned = np.ascontiguousarray(weight.T)
        d_shown, d_kept = gradients
        d_h, d_c = _last(d_shown, shown[0]), _last(d_kept, kept[0])
        for t in range(rows - 1, -1, -1):
            into_cell, into_o = d_gates[t, :, :3], d_gates[t, :, 3]
            into_o *= d_h
            d_c += d_h * to_cell[t]
            into_cell *= d_c[:, None]
            d_h = np.dot(d_said[t], turned)
            d_c *= f[t]
            _let_go(d_h, keep[t], d_shown, t)
            _let_go(d_c, keep[t], d_kept, t)
        return _gathered(d_said, d_said, h_before, (d_h, d_c))

    return Traced((shown, kept), back)


def lstm_steps(count: int, width: int) -> Step:
    """Of an LSTM, for `count` rows at once."""
    row, gates = _lstm_row(count, width), np.empty((count, 4 * width), F32)
    squashed = np.empty((count, width), F32)

    def step(
        said: Vector, weight: Vector, bias: Vector, start: Sequence[Vector], fresh: Flags
    ) -> tuple[Vector, ...]:
        h, c = _begun(start, fresh)
        h_next, c_next = np.empty_like(squashed), np.empty_like(squashed)
        row(said, weight, bias, h, c, gates, squashed, h_next, c_next)
        return h_next, c_next

    return step


def _lstm_row(count: int, width: int) -> Callable[..., None]:
    """One row, written into the last four of its arguments."""
    # A logistic function is a hyperbolic tangent, so that one call serves four gates.
    scale, offset = (np.full((count, 4 * width), _HALF) for _ in range(2))
    scale[:, 2 * width : 3 * width], offset[:, 2 * width : 3 * width] = 1, 0
    spare = np.empty((count, width), F32)

    def row(
        said: Vector,
        weight: Vector,
        bias: Vector,
        h: Vector,
        c: Vector,
        gates: Vector,
        squashed: Vector,
        h_next: Vector,
        c_next: Vector,
    ) -> None:
        np.dot(h, weight, out=gates)
        gates += said
        np.add(gates, bias, out=gates)
        gates *= scale
        np.tanh(gates, out=gates)
        gates *= scale
        gates += offset
        i, f, g, o = _parts(gates, 4)
        np.multiply(f, c, out=c_next)
        np.multiply(i, g, out=spare)
        c_next += spare
        np.tanh(c_next, out=squashed)
        np.multiply(o, squashed, out=h_next)

    return row


def gru(
    said: Vector, weight: Vector, bias: Vector, start: Sequence[Vector], fresh: Flags
) -> Traced:
    """A gated recurrent unit (Cho et al., 2014, section 2.3, arXiv:1406.1078).

    Its reset gate is applied behind the product, as in `torch.nn.GRU`:
    `n = tanh(said + r (h W + b))`, `h' = (1 - z) n + z h`.

    Args:
        said: `[L, B, 3H]` what the rows say to the gates: reset, update and new.
        weight: `[H, 3H]` what the memory says to them.
        bias: `[3H]` added to that.
        start: `[B, H]` memory before the first row.
        fresh: `[L, B]` bool, an episode begins here: what came before is forgotten.
    """
    rows, count, three = said.shape
    width = three // 3
    shown = np.empty((rows + 1, count, width), F32)
    shown[0] = start[0]
    gates, asked = np.empty((rows, count, three), F32), np.empty((rows, count, width), F32)
    row = _gru_row(count, width)
    weight, keep = np.ascontiguousarray(weight), _keep(fresh)
    for t in range(rows):
        h = shown[t] if keep[t] is None else shown[t] * keep[t]
        row(said[t], weight, bias, h, gates[t], asked[t], shown[t + 1])

    def back(gradients: Sequence[Vector | None]) -> Gradients:
        before = _forgotten(shown[:-1], fresh)
        r, z, n = _parts(gates, 3)
        into_n, into_z, into_r = (1 - z) * (1 - n * n), (before - n) * z * (1 - z), r * (1 - r)
        into_r *= asked
        d_said, d_told = (np.empty((rows, count, three), F32) for _ in range(2))
        turned = np.ascontiguousarray(weight.T)
        (d_shown,) = gradients
        d_h = _last(d_shown, shown[0])
        for t in range(rows - 1, -1, -1):
            d_r, d_z, d_n = _parts(d_said[t], 3)
            np.multiply(d_h, into_n[t], out=d_n)
            np.multiply(d_h, into_z[t], out=d_z)
            np.multiply(d_n, into_r[t], out=d_r)
            d_told[t, :, : 2 * width] = d_said[t, :, : 2 * width]
            np.multiply(d_n, r[t], out=d_told[t, :, 2 * width :])
            d_h = d_h * z[t] + np.dot(d_told[t], turned)
            _let_go(d_h, keep[t], d_shown, t)
        return _gathered(d_said, d_told, before, (d_h,))

    return Traced((shown,), back)


def gru_steps(count: int, width: int) -> Step:
    """Of a GRU, for `count` rows at once."""
    row, asked = _gru_row(count, width), np.empty((count, width), F32)
    gates = np.empty((count, 3 * width), F32)

    def step(
        said: Vector, weight: Vector, bias: Vector, start: Sequence[Vector], fresh: Flags
    ) -> tuple[Vector, ...]:
        (h,) = _begun(start, fresh)
        h_next = np.empty_like(asked)
        row(said, weight, bias, h, gates, asked, h_next)
        return (h_next,)

    return step


def _gru_row(count: int, width: int) -> Callable[..., None]:
    """One row, written into the last three of its arguments."""
    told, both = np.empty((count, 3 * width), F32), slice(0, 2 * width)

    def row(
        said: Vector,
        weight: Vector,
        bias: Vector,
        h: Vector,
        gates: Vector,
        asked: Vector,
        h_next: Vector,
    ) -> None:
        np.dot(h, weight, out=told)
        np.add(told, bias, out=told)
        asked[...] = told[:, 2 * width :]
        r_and_z, (r, z, n) = gates[:, both], _parts(gates, 3)
        np.add(told[:, both], said[:, both], out=r_and_z)
        r_and_z *= _HALF
        np.tanh(r_and_z, out=r_and_z)
        r_and_z *= _HALF
        r_and_z += _HALF
        np.multiply(r, asked, out=n)
        n += said[:, 2 * width :]
        np.tanh(n, out=n)
        np.subtract(h, n, out=h_next)
        h_next *= z
        h_next += n

    return row


def _begun(start: Sequence[Vector], fresh: Flags) -> Sequence[Vector]:
    """The memories, forgotten by those who begin an episode."""
    return [_forgotten(x, fresh) for x in start] if fresh.any() else start


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
    weight = np.dot(before.reshape(len(told), -1).T, told)
    return Gradients(d_said, weight, told.sum(0), start)


class CellKind(NamedTuple):
    """What a cell is like.

    Attributes:
        walk: Through a sequence; see `lstm`.
        steps: Through one row at a time, for acting; see `Step`.
        names: Of what it remembers; `h` is what is shown.
        gates: How many.
        open: The gate whose offset is 1 at first, so that it remembers (Jozefowicz et al., 2015,
            section 2.2); None where there is no such gate.
    """

    walk: Callable[[Vector, Vector, Vector, Sequence[Vector], Flags], Traced]
    steps: Callable[[int, int], Step]
    names: tuple[str, ...]
    gates: int
    open: int | None


CELLS: dict[Cell, CellKind] = {
    "lstm": CellKind(lstm, lstm_steps, ("h", "c"), 4, 1),
    "gru": CellKind(gru, gru_steps, ("h",), 3, None),
}
"""Cells by the name that `NetConfig.cell` gives them."""
