"""AdamW with the bias correction on or off, and the gradient norm, both for lone models and populations.

    m <- beta_1 m + (1 - beta_1) g,   v <- beta_2 v + (1 - beta_2) g^2            g the gradient, m = v = 0 at first
    p <- (1 - r decay) p - r (m / c_1) / (sqrt(v / c_2) + epsilon)                r the learning rate

    c_i = 1 - beta_i^t at update t = 1, 2 ... with bias correction (torch), c_i = 1 without (MLX's default)

Without it the first updates are longer: by c_1^-1 sqrt(c_2) they are 3.2 r at t = 1 with betas 0.9, 0.999.
Everything is elementwise, so a population is updated as its members would be, one by one; the norm is taken
over all parameters of one member.

On a CUDA device torch's fused AdamW does the same in one kernel, where it can: it always corrects the bias.

Reference: Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from mosaics.training.config import TrainConfig


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
    def update(self, gradients: list[Tensor], learning_rate: float | list[float], done: int) -> None:
        """Update all parameters in place; `done` updates were made before this one.

        A list of learning rates has one for each index of the parameters' first axis, the members of a population.
        """
        beta_1, beta_2 = self.betas
        torch._foreach_lerp_(self.first, gradients, 1.0 - beta_1)
        torch._foreach_mul_(self.second, beta_2)
        torch._foreach_addcmul_(self.second, gradients, gradients, 1.0 - beta_2)
        c_1, c_2 = (1.0 - beta ** (done + 1) if self.bias_correction else 1.0 for beta in self.betas)
        scale = torch._foreach_sqrt(self.second)
        torch._foreach_div_(scale, c_2**0.5)
        torch._foreach_add_(scale, self.epsilon)
        if isinstance(learning_rate, list):
            for parameter in self.decayed:
                parameter.mul_(1.0 - _of_members(learning_rate, parameter) * self.weight_decay)
            for parameter, first, size in zip(self.parameters, self.first, scale, strict=True):
                parameter.sub_(_of_members(learning_rate, parameter) / c_1 * first / size)
            return
        if self.decayed:
            torch._foreach_mul_(self.decayed, 1.0 - learning_rate * self.weight_decay)
        torch._foreach_addcdiv_(self.parameters, self.first, scale, -learning_rate / c_1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the moments m and v by name: all that an exact resume needs of the optimizer."""
        first = {f"first.{name}": m for name, m in zip(self.names, self.first, strict=True)}
        return first | {f"second.{name}": v for name, v in zip(self.names, self.second, strict=True)}


class FusedAdamW(AdamW):
    """The same update by torch's fused kernel."""

    @torch.no_grad()
    def update(self, gradients: list[Tensor], learning_rate: float | list[float], done: int) -> None:
        """Update all parameters in place; `done` updates were made before this one."""
        if isinstance(learning_rate, list):
            super().update(gradients, learning_rate, done)
            return
        decayed = {id(p) for p in self.decayed}
        for decay in (self.weight_decay, 0.0) if self.decayed else (0.0,):
            some = [i for i, p in enumerate(self.parameters) if (id(p) in decayed) == (decay > 0.0)]
            if some:
                adamw(
                    [self.parameters[i] for i in some],
                    [gradients[i] for i in some],
                    [self.first[i] for i in some],
                    [self.second[i] for i in some],
                    [],
                    [torch.tensor(float(done), device=self.parameters[i].device) for i in some],
                    fused=True,
                    amsgrad=False,
                    beta1=self.betas[0],
                    beta2=self.betas[1],
                    lr=learning_rate,
                    weight_decay=decay,
                    eps=self.epsilon,
                    maximize=False,
                )


def optimizer(parameters: Mapping[str, Tensor], config: TrainConfig, members: int | None) -> AdamW:
    """Return AdamW; decay acts on parameters of two dimensions or more, the axis of a population not counted."""
    least = 0 if config.decay_vectors else 3 if members else 2
    fused = config.bias_correction and all(p.is_cuda for p in parameters.values())
    return (FusedAdamW if fused else AdamW)(
        parameters,
        betas=config.betas,
        epsilon=config.epsilon,
        weight_decay=config.weight_decay,
        decayed=frozenset(name for name, p in parameters.items() if p.dim() >= least),
        bias_correction=config.bias_correction,
    )


def _of_members(rates: list[float], parameter: Tensor) -> Tensor:
    """Bring the learning rates of members to a shape that broadcasts against `parameter`, (members, ...)."""
    return parameter.new_tensor(rates).view(-1, *[1] * (parameter.dim() - 1))


def gradient_norm(gradients: list[Tensor], members: int | None) -> Tensor:
    """Euclidean norm over all gradients: a scalar, or (members,) where the first axis tells members apart."""
    norms = [torch.linalg.vector_norm(g.reshape(members or 1, g.numel() // (members or 1)), dim=1) for g in gradients]
    total = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return total if members else total[0]


def clip_(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale gradients in place so that no member's `norm` exceeds `limit`."""
    factor = (limit / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor if factor.dim() == 0 else factor.view(-1, *[1] * (gradient.dim() - 1)))
