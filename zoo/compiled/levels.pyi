import numpy as np
from numpy.typing import NDArray

from zoo.types import Plane

def median_of(values: Plane) -> NDArray[np.float32]: ...
