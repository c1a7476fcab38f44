"""Complex-linear maps: matrices of 2 x 2 blocks [[a, -b], [b, a]], scaled rotations of pairs of numbers.

    (y_{2i} + i y_{2i+1}) = sum_j (a_ij + i b_ij) (x_{2j} + i x_{2j+1})

The nearest such matrix to a plain W has a = (w00 + w11) / 2, b = (w10 - w01) / 2 in each block. With a and b
as the parameters the form holds throughout training. The gradient of a is the sum of those of w00 and w11;
an optimiser on the plain matrix, projected in the forward pass, gives each of the two entries half of it and
moves them alike. Adam does not see that factor, save in its epsilon.
"""

from __future__ import annotations

import torch
from torch import Tensor


def project(plain: Tensor) -> Tensor:
    """Return (a, b) of the nearest such matrix: (..., rows, columns) -> (..., rows / 2, columns / 2, 2)."""
    blocks = plain.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))
    a = (blocks[..., 0, :, 0] + blocks[..., 1, :, 1]) / 2
    b = (blocks[..., 1, :, 0] - blocks[..., 0, :, 1]) / 2
    return torch.stack([a, b], dim=-1)


def matrix(parameters: Tensor) -> Tensor:
    """Return the matrix with the blocks (a, b): (..., rows / 2, columns / 2, 2) -> (..., rows, columns)."""
    a, b = parameters.unbind(-1)
    blocks = torch.stack([torch.stack([a, -b], dim=-1), torch.stack([b, a], dim=-1)], dim=-3)
    return blocks.flatten(-4, -3).flatten(-2, -1)
