"""Linear attention and its gated kin from flash-linear-attention (Triton kernels, so a GPU is needed to run them).

    S_T = G_T S_{T-1} + v_T k_T^T,   y_T = S_T q_T       one matrix S a head; what G_T is makes the model

    linear_attention  1          retnet  a constant a head          gla, hgrn2  a gate a channel
    deltanet          1 - b_T k_T k_T^T, b_T v_T for v_T            gated_deltanet  a gate a head times deltanet's

Reference: Katharopoulos et al., arXiv 2006.16236; Sun et al., 2307.08621; Yang et al., 2312.06635, 2406.06484,
2412.06464; Qin et al., 2404.07904.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from mosaics.baselines.library import NO_TOKENS, LibraryConfig, imported
from mosaics.registry import MODELS
from toyworlds.core.validate import integer, reject

NEEDS = "flash-linear-attention and a GPU"


@dataclass(frozen=True)
class FlaConfig(LibraryConfig):
    """A model of flash-linear-attention; the subclasses say which."""

    needs: ClassVar[str] = NEEDS
    model: ClassVar[str] = ""
    """Name of the model's classes in ``fla.models``, without Config and Model."""
    value_expansion: ClassVar[int] = 1
    """Width of the values as a multiple of that of the keys."""
    takes_head_width: ClassVar[bool] = False
    """Whether the library wants the width of a head besides the number of heads."""

    n_heads: int = 8
    """Heads; a divisor of the width."""
    feedforward_size: int = 0
    """Hidden units of the feed-forward network; 0 for 4 d."""

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("n_heads", self.n_heads, 1)
        integer("feedforward_size", self.feedforward_size, 0)
        if self.width % self.n_heads:
            reject("n_heads", f"a divisor of the width {self.width}", self.n_heads)

    def backbone(self) -> nn.Module:
        """Return the library's blocks."""
        library = imported("fla.models", "flash-linear-attention")
        sizes: dict[str, Any] = {
            **NO_TOKENS,
            "hidden_size": self.width,
            "num_hidden_layers": self.n_layers,
            "num_heads": self.n_heads,
            "intermediate_size": self.feedforward_size or 4 * self.width,
        }
        if self.takes_head_width:
            sizes["head_dim"] = self.width // self.n_heads
        return getattr(library, f"{self.model}Model")(getattr(library, f"{self.model}Config")(**sizes))

    def state_numbers(self) -> int:
        """One matrix (key width, value width) a head."""
        return self.value_expansion * self.width**2 // self.n_heads


@MODELS.register("linear_attention", "tokens", "vectors")
@dataclass(frozen=True)
class LinearAttentionConfig(FlaConfig):
    """Linear attention."""

    model: ClassVar[str] = "LinearAttention"


@MODELS.register("retnet", "tokens", "vectors")
@dataclass(frozen=True)
class RetNetConfig(FlaConfig):
    """RetNet."""

    model: ClassVar[str] = "RetNet"
    value_expansion: ClassVar[int] = 2


@MODELS.register("gla", "tokens", "vectors")
@dataclass(frozen=True)
class GLAConfig(FlaConfig):
    """Gated linear attention."""

    model: ClassVar[str] = "GLA"


@MODELS.register("deltanet", "tokens", "vectors")
@dataclass(frozen=True)
class DeltaNetConfig(FlaConfig):
    """DeltaNet."""

    model: ClassVar[str] = "DeltaNet"


@MODELS.register("gated_deltanet", "tokens", "vectors")
@dataclass(frozen=True)
class GatedDeltaNetConfig(FlaConfig):
    """Gated DeltaNet."""

    model: ClassVar[str] = "GatedDeltaNet"
    value_expansion: ClassVar[int] = 2
    takes_head_width: ClassVar[bool] = True


@MODELS.register("hgrn2", "tokens", "vectors")
@dataclass(frozen=True)
class HGRN2Config(FlaConfig):
    """HGRN2, a gated linear recurrence."""

    model: ClassVar[str] = "HGRN2"
