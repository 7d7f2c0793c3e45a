"""Plugins written into a zoo."""

from __future__ import annotations

import textwrap
from pathlib import Path

from zoo import Zoo
from zoo.progress import Silent

DROPOUT = '''"""A dense layer behind dropout, whose random state a resumed run has to find again."""

from zoo import hookimpl


@hookimpl
def build(settings):
    from keras import Sequential, layers

    return Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.3), layers.Dense(10)])
'''


def write(folder: Path, name: str, text: str) -> None:
    """Write a plugin's file into a zoo's folder, without the indentation that all its lines share."""
    (folder / "plugins" / f"{name}.py").write_text(textwrap.dedent(text))


def own_train(folder: Path, body: str) -> Zoo:
    """Give `soft` a train hook of its own, and open the zoo."""
    hook = f"import time\n\n\n@hookimpl\ndef train(model, data, settings, report):\n    {body}\n"
    (folder / "plugins/soft.py").write_text(DROPOUT + "\n\n" + hook)
    return Zoo.open(folder, environ={})


class Stages(Silent):
    """Remembers what it was told of the work after the last epoch."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str) -> None:
        self.stages.append(text)
