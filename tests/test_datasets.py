"""zoo.datasets: MNIST, and no other data under its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from zoo import datasets
from zoo.errors import DatasetError


@pytest.mark.parametrize(
    "ask", [partial(datasets.training_data, validation=5000), datasets.test_data, datasets.fingerprint]
)
def test_another_dataset_is_refused_rather_than_mnist_given_for_it(ask: Callable[[str], Any]) -> None:
    with pytest.raises(DatasetError, match=r'^There is no dataset "fashion"\. The only one is "mnist"\.$'):
        ask("fashion")
