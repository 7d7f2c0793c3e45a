"""Filters over the neighbourhood of each cell of a plane: means of blocks, resampling, a median and a grey closing."""

import numpy as np

from libc.math cimport INFINITY, rintf
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset


def colour_of(const unsigned char[:, :, :] picture, Py_ssize_t step):
    """Return the largest difference between neighbouring ones of the first three channels, uint8 (h, w, 3 or 4).

    Only each `step`th pixel of each `step`th row is looked at.
    """
    cdef Py_ssize_t y, i, count, across = picture.strides[1] * step, channel = picture.strides[2]
    cdef int most = 0, least = 0, first, second
    cdef const unsigned char* pixel
    if picture.shape[2] < 3 or step < 1:
        raise ValueError("a picture of three channels or more and a step of at least 1 are expected")
    count = (picture.shape[1] + step - 1) // step
    for y in range(0, picture.shape[0] if count else 0, step):
        pixel = &picture[y, 0, 0]
        for i in range(count):
            first, second = <int> pixel[0] - pixel[channel], <int> pixel[channel] - pixel[2 * channel]
            most = first if first > most else most
            most = second if second > most else most
            least = first if first < least else least
            least = second if second < least else least
            pixel += across
    return max(most, -least)


def means_of_blocks(const unsigned char[:, :, :] picture, Py_ssize_t step, Py_ssize_t channels, bint joined):
    """Average blocks of step x step pixels over the first `channels` of a picture, uint8 (h, w, c), to whole numbers.

    Returns float32 (rows, columns, channels), or (rows, columns, 1) for the mean of the channels if they are `joined`.
    Blocks at the right and at the bottom may be smaller.
    """
    cdef Py_ssize_t height = picture.shape[0], width = picture.shape[1], all_channels = picture.shape[2]
    if step < 1 or not 1 <= channels <= all_channels:
        raise ValueError("a step of at least 1 and channels that the picture has are expected")
    if height < 1 or width < 1:
        raise ValueError("the picture has no pixels")
    if picture.strides[2] != 1 or picture.strides[1] != all_channels:
        picture = np.ascontiguousarray(picture)
    cdef Py_ssize_t rows = (height + step - 1) // step, columns = (width + step - 1) // step
    cdef Py_ssize_t row, column, y, x, i, c, bottom, right, wide, size, sized = 0, line = width * all_channels
    cdef unsigned long long total
    cdef unsigned long long scale = 0
    cdef const unsigned char* pixels
    cdef const unsigned int* block
    means = np.empty((rows, columns, 1 if joined else channels), np.float32)
    cdef float[:, :, ::1] into = means
    cdef unsigned int* sums = <unsigned int*> malloc(line * sizeof(unsigned int))
    if sums == NULL:
        raise MemoryError
    for row in range(rows):
        bottom = min(height, row * step + step)
        memset(sums, 0, line * sizeof(unsigned int))
        for y in range(row * step, bottom):
            pixels = &picture[y, 0, 0]
            for i in range(line):
                sums[i] += pixels[i]
        for column in range(columns):
            right = min(width, column * step + step)
            size = (bottom - row * step) * (right - column * step) * (channels if joined else 1)
            if size != sized:  # rounded as Pillow's Image.reduce does
                sized, scale = size, (1 << 24) // <unsigned long long> size
            block, wide = sums + column * step * all_channels, right - column * step
            if joined and channels == all_channels:
                total = size // 2
                for i in range(wide * channels):
                    total += block[i]
                into[row, column, 0] = (total * scale) >> 24
            elif joined:
                total = size // 2
                for x in range(wide):
                    for c in range(channels):
                        total += block[x * all_channels + c]
                into[row, column, 0] = (total * scale) >> 24
            else:
                for c in range(channels):
                    total = size // 2
                    for x in range(wide):
                        total += block[x * all_channels + c]
                    into[row, column, c] = (total * scale) >> 24
    free(sums)
    return means


def grey_of(const float[:, :, ::1] planes):
    """Return the mean of the channels of float32 (h, w, c) as float32 (h, w)."""
    cdef Py_ssize_t channels = planes.shape[2], i, c
    cdef float total
    if channels == 1:
        return np.asarray(planes)[:, :, 0]
    found = np.zeros((planes.shape[0], planes.shape[1]), np.float32)
    cdef float[:, ::1] into = found
    if not planes.shape[0] or not planes.shape[1] or not channels:
        return found
    cdef const float* values = &planes[0, 0, 0]
    for i in range(planes.shape[0] * planes.shape[1]):
        total = values[i * channels]
        for c in range(1, channels):
            total += values[i * channels + c]
        (&into[0, 0])[i] = total / channels
    return found


cdef void bounds_of(const float[:, ::1] weights, Py_ssize_t* bounds) noexcept nogil:
    """Find the first weight of each row that is not 0, and the end of such weights: 2 x rows places."""
    cdef Py_ssize_t row, first, end
    for row in range(weights.shape[0]):
        first, end = 0, weights.shape[1]
        while end > 0 and weights[row, end - 1] == 0:
            end -= 1
        while first < end and weights[row, first] == 0:
            first += 1
        bounds[2 * row] = first
        bounds[2 * row + 1] = end


cdef void add_weighted(
    float* into, const float* source, Py_ssize_t line, const float[:, ::1] weights, const Py_ssize_t* bounds
) noexcept nogil:
    """Add lines of `source`, each times its weight for a line of `into`: (rows, line) += (rows, n) @ (n, line)."""
    cdef Py_ssize_t row, y, i
    cdef float weight
    cdef float* sums
    cdef const float* here
    for row in range(weights.shape[0]):
        sums = into + row * line
        for y in range(bounds[2 * row], bounds[2 * row + 1]):
            weight, here = weights[row, y], source + y * line
            for i in range(line):
                sums[i] += weight * here[i]


def resampled(const float[:, :, ::1] planes, const float[:, ::1] down, const float[:, ::1] across):
    """Resample planes, float32 (h, w, c), by weights of rows, (rows, h), and of columns, (columns, w).

    Returns float32 (rows, columns, c). Weights that are 0 cost nothing.
    """
    cdef Py_ssize_t height = planes.shape[0], width = planes.shape[1], channels = planes.shape[2]
    cdef Py_ssize_t rows = down.shape[0], columns = across.shape[0], row, column, x, c
    cdef Py_ssize_t line = width * channels, pole = rows * channels
    if down.shape[1] != height or across.shape[1] != width:
        raise ValueError("the weights are for another size")
    found = np.zeros((rows, columns, channels), np.float32)
    if not found.size or not height or not width:
        return found
    cdef float[:, :, ::1] into = found
    cdef Py_ssize_t* bounds = <Py_ssize_t*> malloc(2 * (rows + columns) * sizeof(Py_ssize_t))
    cdef float* lines = <float*> calloc(2 * rows * line + columns * pole, sizeof(float))
    if bounds == NULL or lines == NULL:
        free(bounds)
        free(lines)
        raise MemoryError
    cdef float* poles = lines + rows * line
    cdef float* sums = poles + rows * line
    bounds_of(down, bounds)
    bounds_of(across, bounds + 2 * rows)
    add_weighted(lines, &planes[0, 0, 0], line, down, bounds)
    for row in range(rows):
        for x in range(width):
            for c in range(channels):
                poles[x * pole + row * channels + c] = lines[row * line + x * channels + c]
    add_weighted(sums, poles, pole, across, bounds + 2 * rows)
    for row in range(rows):
        for column in range(columns):
            for c in range(channels):
                into[row, column, c] = sums[column * pole + row * channels + c]
    free(bounds)
    free(lines)
    return found


def contrast_of(
    const float[:, :, ::1] small,
    const float[::1] axis,
    const float[:, ::1] levels,
    const float[:, ::1] gain,
    const float[:, ::1] down,
    const float[:, ::1] across,
):
    """Return how much lighter each pixel of float32 (h, w, c) is along an axis, (c,), than its background.

    The background and the gain by which the contrast is multiplied, float32 (rows, columns), are resampled by the
    weights (h, rows) and (w, columns). Returns float32 (h, w).
    """
    cdef Py_ssize_t height = small.shape[0], width = small.shape[1], channels = small.shape[2]
    cdef Py_ssize_t rows = levels.shape[0], columns = levels.shape[1], y, x, row, column, c
    cdef Py_ssize_t first, count
    cdef float weight, level, stronger, value
    cdef const float* pixel
    cdef const float* weights
    if axis.shape[0] != channels or gain.shape[0] != rows or gain.shape[1] != columns:
        raise ValueError("the background is of another kind than the picture")
    if down.shape[0] != height or down.shape[1] != rows or across.shape[0] != width or across.shape[1] != columns:
        raise ValueError("the weights are for another size")
    found = np.empty((height, width), np.float32)
    if not found.size or not columns or not channels:
        return np.zeros_like(found)
    cdef float[:, ::1] into = found
    cdef Py_ssize_t* bounds = <Py_ssize_t*> malloc(2 * (height + width) * sizeof(Py_ssize_t))
    cdef float* line = <float*> malloc(2 * (columns + 1) * sizeof(float))
    if bounds == NULL or line == NULL:
        free(bounds)
        free(line)
        raise MemoryError
    cdef Py_ssize_t* sides = bounds + 2 * height
    cdef float* gains = line + columns + 1
    bounds_of(down, bounds)
    bounds_of(across, sides)
    for y in range(height):
        memset(line, 0, 2 * (columns + 1) * sizeof(float))
        for row in range(bounds[2 * y], bounds[2 * y + 1]):
            weight = down[y, row]
            for column in range(columns):
                line[column] += weight * levels[row, column]
                gains[column] += weight * gain[row, column]
        pixel, weights = &small[y, 0, 0], &across[0, 0]
        for x in range(width):
            first, count = sides[2 * x], sides[2 * x + 1] - sides[2 * x]
            if count <= 2:  # the usual case: between two levels
                weight = weights[first + 1] if count == 2 else 0
                level = weights[first] * line[first] + weight * line[first + 1] if count else 0
                stronger = weights[first] * gains[first] + weight * gains[first + 1] if count else 0
            else:
                level, stronger = 0, 0
                for column in range(first, first + count):
                    level += weights[column] * line[column]
                    stronger += weights[column] * gains[column]
            value = pixel[0] * axis[0]
            if channels == 3:
                value += pixel[1] * axis[1] + pixel[2] * axis[2]
            else:
                for c in range(1, channels):
                    value += pixel[c] * axis[c]
            into[y, x] = (value - level) * stronger
            pixel += channels
            weights += columns
    free(bounds)
    free(line)
    return found


def means_of_paper(
    const float[:, :, ::1] cells, const float[:, ::1] paper, const float[:, ::1] down, const float[:, ::1] across
):
    """Return the mean of the paper around each cell of float32 (rows, columns, c), in the same shape.

    `paper`, float32 (rows, columns), is 1 for paper and 0 for others; `down` and `across` are the weights of cells by
    their distance. A normalised convolution (Knutsson, Westin: Normalized and differential convolution, CVPR 1993).
    At the borders paper lies on one side only, which biases a mean on a slope: so each channel's mean slope over the
    paper is taken off first, and added again.
    """
    cdef Py_ssize_t rows = cells.shape[0], columns = cells.shape[1], channels = cells.shape[2], y, x, c, count
    cdef double x0 = (columns - 1) / 2.0, y0 = (rows - 1) / 2.0, mean, falls, rises, fallen = 0, risen = 0
    if paper.shape[0] != rows or paper.shape[1] != columns:
        raise ValueError("paper and cells have different shapes")
    slopes = np.zeros((2, channels), np.float32)
    weighed = np.empty((rows, columns, channels + 1), np.float32)
    found = np.empty((rows, columns, channels), np.float32)
    cdef float[:, ::1] slope = slopes
    cdef float[:, :, ::1] level = weighed, into = found
    count = rows * columns
    for y in range(rows):
        for x in range(columns):
            fallen += paper[y, x] * (y - y0) * (y - y0)
            risen += paper[y, x] * (x - x0) * (x - x0)
    for c in range(channels):
        mean, falls, rises = 0, 0, 0
        for y in range(rows):
            for x in range(columns):
                mean += cells[y, x, c]
        mean /= max(1, count)
        for y in range(rows):
            for x in range(columns):
                falls += paper[y, x] * (y - y0) * (cells[y, x, c] - mean)
                rises += paper[y, x] * (x - x0) * (cells[y, x, c] - mean)
        slope[0, c], slope[1, c] = falls / max(fallen, 1.0), rises / max(risen, 1.0)
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                into[y, x, c] = <float> (y - y0) * slope[0, c] + <float> (x - x0) * slope[1, c]
                level[y, x, c] = paper[y, x] * (cells[y, x, c] - into[y, x, c])
            level[y, x, channels] = paper[y, x]
    cdef float[:, :, ::1] around = resampled(weighed, down, across)
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                into[y, x, c] += around[y, x, c] / max(around[y, x, channels], <float> 1e-6)
    return found


def medians_around(const float[:, ::1] levels, Py_ssize_t window):
    """Return the median of the square of `window` cells, an odd number, around each level, rounded to 0-255.

    `levels` and the result are float32 (rows, columns); beyond the border it is repeated. A histogram slides along each
    row (Huang, Yang, Tang: A fast two-dimensional median filtering algorithm, IEEE Trans. Acoust. Speech Signal Process.
    27 (1), 1979).
    """
    cdef Py_ssize_t rows = levels.shape[0], columns = levels.shape[1], row, column, y, x, i
    cdef Py_ssize_t rim = window // 2, middle = window * window // 2, wide = columns + 2 * rim
    cdef int[256] counts
    cdef int below, level, value
    if window < 1 or window % 2 == 0:
        raise ValueError("the window has to be odd")
    found = np.empty((rows, columns), np.float32)
    if not found.size:
        return found
    cdef float[:, ::1] into = found
    cdef unsigned char* padded = <unsigned char*> malloc((rows + 2 * rim) * wide)
    if padded == NULL:
        raise MemoryError
    for y in range(rows + 2 * rim):
        for x in range(wide):
            padded[y * wide + x] = <unsigned char> rintf(
                min(max(levels[min(max(y - rim, 0), rows - 1), min(max(x - rim, 0), columns - 1)], 0.0), 255.0)
            )
    for row in range(rows):
        memset(counts, 0, sizeof(counts))
        for y in range(row, row + window):
            for x in range(window):
                counts[padded[y * wide + x]] += 1
        level, below = 0, 0  # `below` values are less than `level`
        for column in range(columns):
            if column:
                for y in range(row, row + window):
                    value = padded[y * wide + column - 1]
                    counts[value] -= 1
                    below -= value < level
                    value = padded[y * wide + column + window - 1]
                    counts[value] += 1
                    below += value < level
            while below > middle:
                level -= 1
                below -= counts[level]
            while below + counts[level] <= middle:
                below += counts[level]
                level += 1
            into[row, column] = level
    free(padded)
    return found


cdef void over_squares(float* cells, Py_ssize_t rows, Py_ssize_t line, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    """Replace each value of (rows, line) by the greatest of the square that begins with it; twice as wide each time."""
    cdef Py_ssize_t covered = 1, by, row, i
    cdef float* here
    cdef float* there
    while covered < size:
        by = min(covered, size - covered)
        for row in range(rows - by):
            here, there = cells + row * line, cells + (row + by) * line
            for i in range(line):
                here[i] = there[i] if there[i] > here[i] else here[i]
        for row in range(rows):
            here = cells + row * line
            for i in range(line - by * channels):
                here[i] = here[i + by * channels] if here[i + by * channels] > here[i] else here[i]
        covered += by


def closed(const float[:, :, ::1] values, Py_ssize_t size, bint beyond=True):
    """Return the grey closing of float32 (h, w, c) by squares with sides of `size` cells: float32 (h, w, c).

    It fills what is darker than its surroundings and too narrow to hold such a square: the greatest value of each
    square, then the least of each square of those (Serra: Image Analysis and Mathematical Morphology, 1982). Squares
    reach over the border; values there repeat the border's with `beyond`, and are infinite without.
    """
    cdef Py_ssize_t height = values.shape[0], width = values.shape[1], channels = values.shape[2]
    cdef Py_ssize_t reach = size - 1, rows = height + size - 1, columns = width + size - 1, y, x, c, i
    cdef Py_ssize_t line = columns * channels
    if size < 1:
        raise ValueError("a square of at least one cell is expected")
    found = np.empty((height, width, channels), np.float32)
    if not found.size:
        return found
    cdef float[:, :, ::1] into = found
    cdef float* cells = <float*> malloc(2 * rows * line * sizeof(float))
    if cells == NULL:
        raise MemoryError
    cdef float* turned = cells + rows * line
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                cells[y * line + x * channels + c] = values[max(y - reach, 0), max(x - reach, 0), c]
    over_squares(cells, rows, line, channels, size)
    # The least of the squares that end with a value is found as the greatest of the negative picture, turned around.
    for y in range(rows):
        for x in range(columns):
            for c in range(channels):
                i = (rows - 1 - y) * line + (columns - 1 - x) * channels + c
                if beyond or (reach <= y < height and reach <= x < width):
                    turned[i] = -cells[y * line + x * channels + c]
                else:
                    turned[i] = -INFINITY
    over_squares(turned, rows, line, channels, size)
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                into[y, x, c] = -turned[(height - 1 - y) * line + (width - 1 - x) * channels + c]
    free(cells)
    return found
