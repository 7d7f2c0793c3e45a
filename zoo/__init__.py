"""A zoo of models that read handwritten digits: plugins in, predictions out.

    from zoo import Zoo
    Zoo.open().predict("cnn", "seven.png").digit

A plugin needs `hookimpl` and `ModelSettings`. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.errors import ZooError as ZooError
    from zoo.hookspecs import hookimpl as hookimpl
    from zoo.settings import Augmentation as Augmentation
    from zoo.settings import ModelSettings as ModelSettings
    from zoo.settings import Table as Table
    from zoo.settings import Views as Views
    from zoo.types import Prediction as Prediction
    from zoo.zoo import Zoo as Zoo

# The module that each public name is imported from.
_HOMES = {
    "Augmentation": "zoo.settings",
    "ModelSettings": "zoo.settings",
    "NoInk": "zoo.errors",
    "Prediction": "zoo.types",
    "Table": "zoo.settings",
    "Trace": "zoo.types",
    "Views": "zoo.settings",
    "Zoo": "zoo.zoo",
    "ZooError": "zoo.errors",
    "hookimpl": "zoo.hookspecs",
}
__all__ = [
    "Augmentation",
    "ModelSettings",
    "NoInk",
    "Prediction",
    "Table",
    "Trace",
    "Views",
    "Zoo",
    "ZooError",
    "hookimpl",
]


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
