"""Where a contextual memory holds its pairs at inference: all of them, few of them, or an approximation.

    model.initial_state(batch, CapacityConfig(capacity=64).build)          # then model.step, as ever
    generate(model, prompts, 100, make_store=CapacityConfig(capacity=64).build)

    name         keeps                     looks at a query              loses
    exact        every pair                every pair                    nothing
    capacity     `capacity` pairs          every pair kept               what it evicts
    hash         every pair                pairs in the same buckets     pairs that fell into other buckets
    faiss        every pair                the nearest `neighbours`      all but the nearest
    features     sums over the pairs       the sums                      sharpness: the kernel is estimated

`STORES` finds their configs by name; docs/stores.md says when to take which.
"""

from mosaics.stores.capacity import CapacityConfig, CapacityStore
from mosaics.stores.exact import ExactConfig, ExactStore
from mosaics.stores.features import FeatureConfig, FeatureStore
from mosaics.stores.interface import STORES, Entries, Store
from mosaics.stores.lsh import HashConfig, HashStore
from mosaics.stores.neighbours import FaissConfig, FaissStore
from mosaics.stores.recall import Measured, retrieval_recall

__all__ = [
    "STORES",
    "CapacityConfig",
    "CapacityStore",
    "Entries",
    "ExactConfig",
    "ExactStore",
    "FaissConfig",
    "FaissStore",
    "FeatureConfig",
    "FeatureStore",
    "HashConfig",
    "HashStore",
    "Measured",
    "Store",
    "retrieval_recall",
]
