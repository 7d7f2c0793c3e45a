"""Statistics of grey levels: means of blocks, medians, shares, noise and the level of ink."""

import numpy as np

cdef extern from "math.h" nogil:
    double fabs(double)


cdef float selected(float* values, Py_ssize_t count, Py_ssize_t place) noexcept nogil:
    """Return the value that sorting would bring to `place`, and partition the values there (Hoare's quickselect)."""
    cdef Py_ssize_t low = 0, high = count - 1, i, j
    cdef float pivot, other
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                other = values[i]
                values[i] = values[j]
                values[j] = other
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break
    return values[place]


cdef float median(float* values, Py_ssize_t count) noexcept nogil:
    """Return the median of at least one value, which are reordered."""
    cdef float upper = selected(values, count, count >> 1), lower
    cdef Py_ssize_t i
    if count & 1:
        return upper
    lower = values[0]
    for i in range(1, count >> 1):
        if values[i] > lower:
            lower = values[i]
    return (lower + upper) / 2


def median_of(const float[:, :] values):
    """Return the median of each column of float32 (n, c), n > 0, as float32 (c,)."""
    cdef Py_ssize_t count = values.shape[0], channels = values.shape[1], i, c
    copied = np.empty(count, np.float32)
    found = np.empty(channels, np.float32)
    cdef float[::1] copy = copied
    cdef float[::1] into = found
    if not count:
        raise ValueError("no values, which have no median")
    for c in range(channels):
        for i in range(count):
            copy[i] = values[i, c]
        into[c] = median(&copy[0], count)
    return found
