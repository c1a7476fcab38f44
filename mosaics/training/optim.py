"""AdamW with the bias correction on or off, and the gradient norm, both for lone models and populations.

    m <- beta_1 m + (1 - beta_1) g,   v <- beta_2 v + (1 - beta_2) g^2            g the gradient, m = v = 0 at first
    p <- (1 - r decay) p - r (m / c_1) / (sqrt(v / c_2) + epsilon)                r the learning rate

    c_i = 1 - beta_i^t at update t = 1, 2 ... with bias correction (torch), c_i = 1 without (MLX's default)

Without it the first updates are longer: by c_1^-1 sqrt(c_2) they are 3.2 r at t = 1 with betas 0.9, 0.999.
Everything is elementwise, so a population is updated as its members would be, one by one; the norm is taken
over all parameters of one member.

Reference: Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class AdamW:
    """The update of this file on named parameters; `decayed` names those that `weight_decay` acts on."""

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        betas: tuple[float, float],
        epsilon: float,
        weight_decay: float,
        decayed: frozenset[str],
        bias_correction: bool,
    ) -> None:
        self.names = list(parameters)
        self.parameters = list(parameters.values())
        self.decayed = [p for name, p in parameters.items() if name in decayed and weight_decay]
        self.betas, self.epsilon, self.weight_decay = betas, epsilon, weight_decay
        self.bias_correction = bias_correction
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def update(self, gradients: list[Tensor], learning_rate: float, done: int) -> None:
        """Update all parameters in place; `done` updates were made before this one."""
        beta_1, beta_2 = self.betas
        torch._foreach_lerp_(self.first, gradients, 1.0 - beta_1)
        torch._foreach_mul_(self.second, beta_2)
        torch._foreach_addcmul_(self.second, gradients, gradients, 1.0 - beta_2)
        c_1, c_2 = (1.0 - beta ** (done + 1) if self.bias_correction else 1.0 for beta in self.betas)
        scale = torch._foreach_sqrt(self.second)
        torch._foreach_div_(scale, c_2**0.5)
        torch._foreach_add_(scale, self.epsilon)
        if self.decayed:
            torch._foreach_mul_(self.decayed, 1.0 - learning_rate * self.weight_decay)
        torch._foreach_addcdiv_(self.parameters, self.first, scale, -learning_rate / c_1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the moments m and v by name: all that an exact resume needs of the optimizer."""
        first = {f"first.{name}": m for name, m in zip(self.names, self.first, strict=True)}
        return first | {f"second.{name}": v for name, v in zip(self.names, self.second, strict=True)}


def gradient_norm(gradients: list[Tensor], members: int | None) -> Tensor:
    """Euclidean norm over all gradients: a scalar, or (members,) where the first axis tells members apart."""
    norms = [torch.linalg.vector_norm(g.reshape(members or 1, -1), dim=1) for g in gradients]
    total = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return total if members else total[0]


def clip_(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale gradients in place so that no member's `norm` exceeds `limit`."""
    factor = (limit / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor if factor.dim() == 0 else factor.view(-1, *[1] * (gradient.dim() - 1)))
