"""Statistics of grey levels: medians, shares, two levels, the level of ink, and the main direction of colours."""

import numpy as np

from libc.math cimport fabs, fabsf, rint
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memset

cdef enum:
    LEVELS = 4096  # levels of ink, from 0; stronger ink counts as the last
    ISODATA_TURNS = 8  # turns of finding a threshold, at most
    TWO_TURNS = 4  # turns of finding two levels
    SQUARINGS = 24  # of a matrix, for its first eigenvector
    CHANNELS = 4  # of a picture, at most

cdef double SPREAD = 0.954  # median absolute difference of two normal values, in their sigma


cdef int compare(const void* one, const void* other) noexcept nogil:
    """Compare two values for sorting; what is no number comes last."""
    cdef float a = (<const float*> one)[0], b = (<const float*> other)[0]
    if a < b:
        return -1
    if a > b:
        return 1
    return (a != a) - (b != b)


cdef float selected(float* values, Py_ssize_t count, Py_ssize_t place) noexcept nogil:
    """Return the value that sorting would bring to `place`, and partition the values there.

    Hoare's Quickselect; where pivots are poor again and again, the rest is sorted.
    """
    cdef Py_ssize_t low = 0, high = count - 1, i, j, turns = 8, size = count
    cdef float pivot, other
    while size:
        turns += 4
        size >>= 1
    while low < high:
        if not turns:
            qsort(values + low, high - low + 1, sizeof(float), compare)
            break
        turns -= 1
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
    """Return the median of each column of float32 (n, c) as float32 (c,). Raises ValueError if n is 0."""
    cdef Py_ssize_t count = values.shape[0], channels = values.shape[1], i, c
    if not count:
        raise ValueError(f"{count}x{channels} values, of which a median needs one at least")
    found = np.empty(channels, np.float32)
    cdef float[::1] into = found
    cdef float* copy = <float*> malloc(count * sizeof(float))
    if copy == NULL:
        raise MemoryError
    with nogil:
        for c in range(channels):
            if not counted_median(values, c, &into[c]):
                for i in range(count):
                    copy[i] = values[i, c]
                into[c] = median(copy, count)
        free(copy)
    return found


cdef bint counted_median(const float[:, :] values, Py_ssize_t channel, float* into) noexcept nogil:
    """Write the median of whole numbers from 0 to 255 by counting them; return False for others."""
    cdef int[256] counts
    cdef int level = -1
    cdef Py_ssize_t i, count = values.shape[0], below = 0
    cdef float value
    memset(counts, 0, sizeof(counts))
    for i in range(count):
        value = values[i, channel]
        if not 0 <= value <= 255 or value != <int> value:
            return False
        counts[<int> value] += 1
    while below <= (count - 1) >> 1:
        level += 1
        below += counts[level]
    into[0] = level
    if below <= count >> 1:  # half of the values: the other middle one is the next
        level += 1
        while not counts[level]:
            level += 1
        into[0] = (into[0] + level) / 2
    return True


def quantile_of(const float[:, ::1] values, double share):
    """Return the value of float32 (h, w) below which about `share`, 0-1, of them lie.

    Raises ValueError if there is no value, or for another share.
    """
    cdef Py_ssize_t count = values.shape[0] * values.shape[1], i
    cdef float found
    if not count or not 0 <= share <= 1:
        raise ValueError(f"{count} values and a share of {share}; a quantile needs one value at least, and 0 to 1")
    cdef const float* source = &values[0, 0]
    cdef float* copy = <float*> malloc(count * sizeof(float))
    if copy == NULL:
        raise MemoryError
    with nogil:
        for i in range(count):
            copy[i] = source[i]
        found = selected(copy, count, <Py_ssize_t> rint(share * (count - 1)))
        free(copy)
    return found


def share_of(const float[:, :] values, const float[:] colour, float within):
    """Return the share, 0-1, of float32 (n, c) that is `within` of a colour, (c,), in each channel; 0 if n is 0.

    Raises ValueError if their channels differ.
    """
    cdef Py_ssize_t i, c, alike = 0, count = values.shape[0], channels = values.shape[1]
    if colour.shape[0] != channels:
        raise ValueError(f"{channels} channels, and {colour.shape[0]} of the colour to compare with")
    with nogil:
        for i in range(count):
            for c in range(channels):
                if not fabsf(values[i, c] - colour[c]) <= within:
                    break
            else:
                alike += 1
    return alike / <double> max(1, count)


def noise_of(const float[:, :] contrast):
    """Return the sigma of the noise in float32 (h, w), by differences two columns apart in each third row.

    0 if there are no three columns.
    """
    cdef Py_ssize_t height = contrast.shape[0], width = contrast.shape[1], y, x, count = 0
    cdef float found
    if height < 1 or width < 3:
        return 0.0
    cdef float* differences = <float*> malloc((height + 2) // 3 * (width - 2) * sizeof(float))
    if differences == NULL:
        raise MemoryError
    with nogil:
        for y in range(0, height, 3):
            for x in range(width - 2):
                differences[count] = fabsf(contrast[y, x + 2] - contrast[y, x])
                count += 1
        found = median(differences, count)
        free(differences)
    return found / SPREAD


def level_of(const float[:, ::1] ink):
    """Return the usual strength of ink, float32 (h, w), in grey levels: the mean above the isodata threshold.

    0 if all is fainter than one level. That threshold is the midpoint between the means of what is above and below it
    (Ridler, Calvard: Picture thresholding using an iterative selection method, IEEE Trans. Syst. Man Cybern. 8 (8),
    1978).
    """
    cdef double found
    if not ink.shape[0] or not ink.shape[1]:
        return 0.0
    cdef const float* values = &ink[0, 0]
    with nogil:
        found = above_isodata(values, ink.shape[0] * ink.shape[1])
    return found


cdef double above_isodata(const float* values, Py_ssize_t count) noexcept nogil:
    """Return the mean of the values above their isodata threshold, from 1 on; 0 if there are none."""
    cdef long long[LEVELS] below, sums  # values up to each level, and the sum of their levels
    cdef Py_ssize_t i, levels = LEVELS, cut, midpoint, level, _turn
    cdef double high = 0
    memset(below, 0, sizeof(below))
    for i in range(count):
        if values[i] >= 1:
            below[<int> values[i] if values[i] < LEVELS else LEVELS - 1] += 1
    while levels and not below[levels - 1]:
        levels -= 1
    if not levels:
        return 0
    below[0], sums[0] = count, 0
    for level in range(1, levels):
        below[0] -= below[level]
    for level in range(1, levels):
        sums[level] = sums[level - 1] + level * below[level]
        below[level] += below[level - 1]
    cut = (levels - 1) // 2
    for _turn in range(ISODATA_TURNS):
        high = (sums[levels - 1] - sums[cut]) / <double> (below[levels - 1] - below[cut])
        midpoint = min(<Py_ssize_t> (0.5 * (high + sums[cut] / <double> max(1, below[cut]))), levels - 2)
        if midpoint == cut:
            break
        cut = midpoint
    return high + 0.5


def lighter_of_two(const float[:, :] some, float least, double unexplained):
    """Return which of some pixels, float32 (n, c), are light, bool (n,), if they have two clear levels; else None.

    Grey levels differ by `least` at least, and two levels leave less than the share `unexplained` of their variance.
    """
    cdef Py_ssize_t count = some.shape[0], channels = some.shape[1], i, c
    cdef bint are_two
    if not count or not channels:
        return None
    light = np.empty(count, np.bool_)
    cdef unsigned char[::1] into = light.view(np.uint8)
    cdef float* grey = <float*> malloc(count * sizeof(float))
    if grey == NULL:
        raise MemoryError
    with nogil:
        for i in range(count):
            grey[i] = some[i, 0]
            for c in range(1, channels):
                grey[i] += some[i, c]
            grey[i] /= channels
        are_two = in_two(grey, count, &into[0], least, unexplained)
        free(grey)
    return light if are_two else None


cdef bint in_two(
    const float* grey, Py_ssize_t count, unsigned char* light, float least, double unexplained
) noexcept nogil:
    """Write which grey levels are light, and return whether there are two levels; see `lighter_of_two`."""
    cdef Py_ssize_t i, lights = 0, _turn
    cdef float low = grey[0], high = grey[0], cut
    cdef double total = 0, squares = 0, sum_of_lights, lighter = 0, darker = 0, variance, between
    for i in range(count):
        low = grey[i] if grey[i] < low else low
        high = grey[i] if grey[i] > high else high
        total += grey[i]
    if not high - low >= least:
        return False
    cut = (low + high) / 2
    for _turn in range(TWO_TURNS):
        lights, sum_of_lights = 0, 0
        for i in range(count):
            light[i] = grey[i] > cut
            if light[i]:
                lights += 1
                sum_of_lights += grey[i]
        if not 0 < lights < count:
            return False
        lighter, darker = sum_of_lights / lights, (total - sum_of_lights) / (count - lights)
        cut = (lighter + darker) / 2
    for i in range(count):
        squares += (grey[i] - total / count) ** 2
    # The total variance is the variance between the two levels plus that within them.
    variance = squares / count
    between = <double> lights * (count - lights) / (<double> count * count) * (lighter - darker) ** 2
    return variance - between < unexplained * variance


cdef void first_component(double[CHANNELS][CHANNELS] square, Py_ssize_t channels, float* axis) noexcept nogil:
    """Write the first eigenvector of a symmetric matrix, (c, c), so that its absolute values sum to 1.

    Its own sum is not negative. Without any difference it is the last channel. By the power method: squared again and
    again, the matrix tends to the projection on that vector.
    """
    cdef double[CHANNELS][CHANNELS] squared
    cdef double trace, total = 0, size = 0
    cdef Py_ssize_t i, j, k, _turn, best = 0
    for _turn in range(SQUARINGS):
        trace = 0
        for i in range(channels):
            trace += square[i][i]
        if not trace > 0:
            break
        for i in range(channels):
            for j in range(channels):
                squared[i][j] = 0
                for k in range(channels):
                    squared[i][j] += square[i][k] * square[k][j] / (trace * trace)
        for i in range(channels):
            for j in range(channels):
                square[i][j] = squared[i][j]
    for i in range(channels):
        axis[i] = 0
        if square[i][i] > square[best][best]:
            best = i
    for i in range(channels):
        total += square[i][best]
        size += fabs(square[i][best])
    if not size > 0:
        axis[channels - 1] = 1
        return
    for i in range(channels):
        axis[i] = square[i][best] / (size if total >= 0 else -size)


cdef Py_ssize_t checked(Py_ssize_t channels) except -1:
    """Raise ValueError for more channels than the matrices of this module hold, or none."""
    if not 1 <= channels <= CHANNELS:
        raise ValueError(f"{channels} channels, of which 1 to {CHANNELS} can be")
    return channels


def main_direction(const float[:, :] away):
    """Return the direction, float32 (c,), along which float32 (n, c) is largest: its first principal component.

    Its absolute values sum to 1, and its own sum is not negative. Without any difference it is the last channel. Raises
    ValueError unless c is 1 to 4.
    """
    cdef Py_ssize_t channels = checked(away.shape[1]), n, i, j
    cdef double[CHANNELS][CHANNELS] square
    axis = np.empty(channels, np.float32)
    cdef float[::1] into = axis
    with nogil:
        memset(square, 0, sizeof(square))
        for n in range(away.shape[0]):
            for i in range(channels):
                for j in range(channels):
                    square[i][j] += <double> away[n, i] * away[n, j]
        first_component(square, channels, &into[0])
    return axis


def along_main_direction(const float[:, :, ::1] picture, const float[:, :, ::1] ground, float darkest):
    """Reduce the background of a picture, float32 (h, w, c) each, to the direction in which the picture differs most.

    Returns that direction as `main_direction` does; the background along it, float32 (h, w); and by how much lighter
    its mean is than each of its cells, which count as `darkest` grey levels at least: float32 (h, w). Raises ValueError
    if the shapes differ or are empty, and unless c is 1 to 4.
    """
    cdef Py_ssize_t height = ground.shape[0], width = ground.shape[1], channels = checked(ground.shape[2])
    cdef Py_ssize_t count = height * width, i, c, k
    cdef double[CHANNELS][CHANNELS] square
    cdef double[CHANNELS] away
    cdef double total = 0
    cdef float light
    if picture.shape[0] != height or picture.shape[1] != width or picture.shape[2] != channels or not count:
        raise ValueError(
            f"a picture of {picture.shape[0]}x{picture.shape[1]}x{picture.shape[2]} and a background of "
            f"{height}x{width}x{channels}; they must be of the same shape and not empty"
        )
    axis, levels = np.empty(channels, np.float32), np.empty((height, width), np.float32)
    gain = np.empty((height, width), np.float32)
    cdef float[::1] axis_values = axis
    cdef float[:, ::1] level_cells = levels, gain_cells = gain
    cdef float* level = &level_cells[0, 0]
    cdef float* stronger = &gain_cells[0, 0]
    cdef const float* pixel = &picture[0, 0, 0]
    cdef const float* paper = &ground[0, 0, 0]
    with nogil:
        memset(square, 0, sizeof(square))
        for i in range(count):
            for c in range(channels):
                away[c] = pixel[i * channels + c] - paper[i * channels + c]
            for c in range(channels):
                for k in range(channels):
                    square[c][k] += away[c] * away[k]
        first_component(square, channels, &axis_values[0])
        for i in range(count):
            level[i], light = 0, 0
            for c in range(channels):
                level[i] += paper[i * channels + c] * axis_values[c]
                light += paper[i * channels + c]
            light /= channels
            total += light
            stronger[i] = max(light, darkest)
        for i in range(count):
            stronger[i] = total / count / stronger[i]
    return axis, levels, gain
