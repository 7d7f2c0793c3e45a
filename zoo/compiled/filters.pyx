"""Filters over the neighbourhood of each cell of a plane: means of blocks, resampling, a median and a grey closing."""

import numpy as np

from libc.math cimport INFINITY, rintf
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

cdef enum:
    NARROW = 256  # step of blocks with columns whose sums fit into 16 bits

ctypedef fused Sum:
    uint16_t
    uint32_t

ctypedef fused Total:
    int32_t
    int64_t

cdef float LEAST_PAPER = 1e-6  # weight of the paper around a cell, at least


def colour_of(const unsigned char[:, :, :] picture, Py_ssize_t step):
    """Return the largest difference between neighbouring ones of the first three channels, uint8 (h, w, 3 or 4).

    Only each `step`th pixel of each `step`th row is looked at. Raises ValueError for fewer channels, or no step.
    """
    cdef Py_ssize_t height = picture.shape[0], width = picture.shape[1], channel = picture.strides[2], y, _x, across
    cdef int most = 0, least = 0, first, second
    cdef const unsigned char* pixel
    if picture.shape[2] < 3 or step < 1:
        raise ValueError(f"{picture.shape[2]} channels and a step of {step}; at least 3 and 1 are expected")
    step = min(step, max(height, width, 1))
    across = picture.strides[1] * step
    with nogil:
        for y in range((height + step - 1) // step if width else 0):
            pixel = &picture[y * step, 0, 0]
            for _x in range((width + step - 1) // step):
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
    Blocks at the right and at the bottom may be smaller. Raises ValueError if there are no pixels, no step or not so
    many channels.
    """
    cdef Py_ssize_t height = picture.shape[0], width = picture.shape[1], all_channels = picture.shape[2]
    if step < 1 or not 1 <= channels <= all_channels or height < 1 or width < 1:
        raise ValueError(
            f"a step of {step} over {channels} channels of a picture of {height}x{width}x{all_channels}; a step of at "
            "least 1, channels that it has, and pixels are expected"
        )
    if picture.strides[2] != 1 or picture.strides[1] != all_channels:
        picture = np.ascontiguousarray(picture)
    step = min(step, max(height, width))
    cdef Py_ssize_t rows = (height + step - 1) // step, columns = (width + step - 1) // step
    means = np.empty((rows, columns, 1 if joined else channels), np.float32)
    if step == 1 and channels == all_channels and not joined:
        means[:] = np.asarray(picture)
        return means
    cdef float[:, :, ::1] into = means
    cdef void* sums = malloc(width * all_channels * sizeof(uint32_t))
    cdef void* totals = malloc(columns * channels * sizeof(int64_t))
    if sums == NULL or totals == NULL:
        free(sums)
        free(totals)
        raise MemoryError
    with nogil:
        if step <= NARROW:
            average(picture, into, step, channels, joined, <uint16_t*> sums, <int32_t*> totals)
        else:
            average(picture, into, step, channels, joined, <uint32_t*> sums, <int64_t*> totals)
        free(sums)
        free(totals)
    return means


cdef void average(
    const unsigned char[:, :, :] picture,
    float[:, :, ::1] means,
    Py_ssize_t step,
    Py_ssize_t channels,
    bint joined,
    Sum* sums,
    Total* totals,
) noexcept nogil:
    """Write the means of the blocks of a picture, whose pixels are contiguous in each row.

    `sums` has room for those of each column of a block in each channel, `totals` for those of each block.
    """
    cdef Py_ssize_t height = picture.shape[0], width = picture.shape[1], all_channels = picture.shape[2]
    cdef Py_ssize_t line = width * all_channels, each = 1 if joined else channels
    cdef Py_ssize_t full = (means.shape[1] - 1) * each, last = width - (means.shape[1] - 1) * step
    cdef Py_ssize_t row, y, i, end, size
    cdef const unsigned char* pixels
    for row in range(means.shape[0]):
        end = min(height, row * step + step)
        memset(sums, 0, line * sizeof(Sum))
        for y in range(row * step, end):
            pixels = &picture[y, 0, 0]
            for i in range(line):
                sums[i] += pixels[i]
        add_columns(sums, totals, width, all_channels, step, channels, joined)
        size = (end - row * step) * (channels if joined else 1)
        divide(totals, &means[row, 0, 0], full, size * step)
        divide(totals + full, &means[row, 0, 0] + full, each, size * last)


cdef void add_columns(
    const Sum* sums,
    Total* totals,
    Py_ssize_t width,
    Py_ssize_t all_channels,
    Py_ssize_t step,
    Py_ssize_t channels,
    bint joined,
) noexcept nogil:
    """Write the totals of blocks from the sums of their columns."""
    cdef Py_ssize_t column, wide, i, c
    cdef Total total, second, third
    for column in range((width + step - 1) // step):
        wide = min(step, width - column * step)
        if channels == 3 and not joined:  # the usual case
            total = second = third = 0
            for i in range(wide):
                total += sums[i * all_channels]
                second += sums[i * all_channels + 1]
                third += sums[i * all_channels + 2]
            totals[0], totals[1], totals[2] = total, second, third
        elif joined:
            total = 0
            for i in range(wide):
                for c in range(channels):
                    total += sums[i * all_channels + c]
            totals[0] = total
        else:
            for c in range(channels):
                total = 0
                for i in range(wide):
                    total += sums[i * all_channels + c]
                totals[c] = total
        totals += 1 if joined else channels
        sums += wide * all_channels


cdef void divide(const Total* totals, float* into, Py_ssize_t count, Py_ssize_t size) noexcept nogil:
    """Write the means of `size` values from their totals, as whole numbers.

    Halves are rounded up if `size` is a power of two, else down: for up to 255 values as Pillow does.
    """
    cdef Py_ssize_t i
    cdef double shift = size // 2 - 0.5, part = 1.0 / size
    cdef Total half = size // 2
    cdef int bits = 0
    if size & (size - 1):
        for i in range(count):
            into[i] = <int> ((totals[i] + shift) * part)
        return
    while size >> bits > 1:
        bits += 1
    for i in range(count):
        into[i] = <int> ((totals[i] + half) >> bits)


def grey_of(const float[:, :, ::1] planes):
    """Return the mean of the channels of float32 (h, w, c), c > 0, as float32 (h, w); of one channel, a view of it."""
    cdef Py_ssize_t channels = planes.shape[2], i, c
    if channels == 1:
        return np.asarray(planes)[:, :, 0]
    found = np.zeros((planes.shape[0], planes.shape[1]), np.float32)
    if not planes.shape[0] or not planes.shape[1] or not channels:
        return found
    cdef float[:, ::1] cells = found
    cdef float* into = &cells[0, 0]
    cdef const float* values = &planes[0, 0, 0]
    with nogil:
        for i in range(planes.shape[0] * planes.shape[1]):
            into[i] = values[i * channels]
            for c in range(1, channels):
                into[i] += values[i * channels + c]
            into[i] /= channels
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

    Returns float32 (rows, columns, c). Weights of 0 at the ends of a row cost nothing. Raises ValueError for weights of
    another size.
    """
    cdef Py_ssize_t height = planes.shape[0], width = planes.shape[1], channels = planes.shape[2]
    cdef Py_ssize_t rows = down.shape[0], columns = across.shape[0], row, column, x, c
    cdef Py_ssize_t line = width * channels, pole = rows * channels
    if down.shape[1] != height or across.shape[1] != width:
        raise ValueError(f"weights for {down.shape[1]}x{across.shape[1]} cells, and {height}x{width} of them")
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
    with nogil:
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
    weights (h, rows) and (w, columns). Returns float32 (h, w). Raises ValueError for other shapes.
    """
    cdef Py_ssize_t height = small.shape[0], width = small.shape[1], channels = small.shape[2]
    cdef Py_ssize_t rows = levels.shape[0], columns = levels.shape[1], y, x, row, column, c
    cdef float weight, value, first, second, third
    cdef bint is_linear
    cdef const float* pixel
    if axis.shape[0] != channels or gain.shape[0] != rows or gain.shape[1] != columns:
        raise ValueError(
            f"{axis.shape[0]} channels and {rows}x{columns} cells of the background, {gain.shape[0]}x{gain.shape[1]} "
            f"of the gain, and {channels} channels of the picture"
        )
    if down.shape[0] != height or down.shape[1] != rows or across.shape[0] != width or across.shape[1] != columns:
        raise ValueError(
            f"weights of {down.shape[0]}x{down.shape[1]} and {across.shape[0]}x{across.shape[1]} for {height}x{width} "
            f"pixels and {rows}x{columns} cells"
        )
    found = np.empty((height, width), np.float32)
    if not found.size or not columns or not channels:
        return np.zeros_like(found)
    first, second, third = axis[0], axis[min(1, channels - 1)], axis[min(2, channels - 1)]
    cdef float[:, ::1] into = found
    cdef Py_ssize_t* bounds = <Py_ssize_t*> malloc(2 * (height + width) * sizeof(Py_ssize_t))
    cdef float* line = <float*> malloc((2 * (columns + 1) + 4 * width) * sizeof(float))
    if bounds == NULL or line == NULL:
        free(bounds)
        free(line)
        raise MemoryError
    cdef Py_ssize_t* sides = bounds + 2 * height
    cdef float* gains = line + columns + 1
    cdef float* beneath = gains + columns + 1
    cdef float* stronger = beneath + width
    cdef float* pairs = stronger + width
    with nogil:
        bounds_of(down, bounds)
        bounds_of(across, sides)
        is_linear = write_pairs(across, sides, pairs)
        memset(line, 0, 2 * (columns + 1) * sizeof(float))
        for y in range(height):
            memset(line, 0, columns * sizeof(float))
            memset(gains, 0, columns * sizeof(float))
            for row in range(bounds[2 * y], bounds[2 * y + 1]):
                weight = down[y, row]
                for column in range(columns):
                    line[column] += weight * levels[row, column]
                    gains[column] += weight * gain[row, column]
            if is_linear:
                for x in range(width):
                    column = sides[2 * x]
                    beneath[x] = pairs[2 * x] * line[column] + pairs[2 * x + 1] * line[column + 1]
                    stronger[x] = pairs[2 * x] * gains[column] + pairs[2 * x + 1] * gains[column + 1]
            else:
                stretch(line, beneath, across, sides)
                stretch(gains, stronger, across, sides)
            pixel = &small[y, 0, 0]
            if channels == 3:
                for x in range(width):
                    value = pixel[3 * x] * first
                    value += pixel[3 * x + 1] * second + pixel[3 * x + 2] * third
                    into[y, x] = (value - beneath[x]) * stronger[x]
                continue
            for x in range(width):
                value = pixel[x * channels] * first
                for c in range(1, channels):
                    value += pixel[x * channels + c] * axis[c]
                into[y, x] = (value - beneath[x]) * stronger[x]
        free(bounds)
        free(line)
    return found


cdef bint write_pairs(const float[:, ::1] across, const Py_ssize_t* bounds, float* pairs) noexcept nogil:
    """Write the two weights of each row of weights; return whether there are no more than two in any."""
    cdef Py_ssize_t x, begin, count
    for x in range(across.shape[0]):
        begin, count = bounds[2 * x], bounds[2 * x + 1] - bounds[2 * x]
        if count > 2:
            return False
        pairs[2 * x] = across[x, begin] if count else 0
        pairs[2 * x + 1] = across[x, begin + 1] if count == 2 else 0
    return True


cdef void stretch(
    const float* line, float* into, const float[:, ::1] across, const Py_ssize_t* bounds
) noexcept nogil:
    """Resample a line by weights, (to, size), of which those outside `bounds` are 0."""
    cdef Py_ssize_t x, column, begin, end
    cdef float value
    for x in range(across.shape[0]):
        begin, end = bounds[2 * x], bounds[2 * x + 1]
        value = 0
        for column in range(begin, end):
            value += across[x, column] * line[column]
        into[x] = value


def means_of_paper(
    const float[:, :, ::1] cells, const float[:, ::1] paper, const float[:, ::1] down, const float[:, ::1] across
):
    """Return the mean of the paper around each cell of float32 (rows, columns, c), in the same shape.

    `paper`, float32 (rows, columns), is 1 for paper and 0 for others; `down`, (rows, rows), and `across`,
    (columns, columns), are the weights of cells by their distance. A normalised convolution (Knutsson, Westin:
    Normalized and differential convolution, CVPR 1993). At the borders paper lies on one side only, which biases a mean
    on a slope: so each channel's mean slope over the paper is taken off first, and added again. Raises ValueError for
    other shapes.
    """
    cdef Py_ssize_t rows = cells.shape[0], columns = cells.shape[1], channels = cells.shape[2], y, x, c
    if paper.shape[0] != rows or paper.shape[1] != columns or down.shape[0] != rows or across.shape[0] != columns:
        raise ValueError(
            f"{paper.shape[0]}x{paper.shape[1]} cells of paper and weights of {down.shape[0]} rows and "
            f"{across.shape[0]} columns, for {rows}x{columns} cells"
        )
    weighed = np.empty((rows, columns, channels + 1), np.float32)
    found = np.empty((rows, columns, channels), np.float32)
    cdef float[:, :, ::1] levels = weighed, into = found
    with nogil:
        for c in range(channels):
            write_slope(cells, paper, c, into)
        for y in range(rows):
            for x in range(columns):
                for c in range(channels):
                    levels[y, x, c] = paper[y, x] * (cells[y, x, c] - into[y, x, c])
                levels[y, x, channels] = paper[y, x]
    cdef float[:, :, ::1] around = resampled(weighed, down, across)
    with nogil:
        for y in range(rows):
            for x in range(columns):
                for c in range(channels):
                    into[y, x, c] += around[y, x, c] / max(around[y, x, channels], LEAST_PAPER)
    return found


cdef void write_slope(
    const float[:, :, ::1] cells, const float[:, ::1] paper, Py_ssize_t channel, float[:, :, ::1] into
) noexcept nogil:
    """Write the plane through 0, in the middle, with the mean slope of a channel where there is paper."""
    cdef Py_ssize_t rows = cells.shape[0], columns = cells.shape[1], y, x
    cdef double middle_x = (columns - 1) / 2.0, middle_y = (rows - 1) / 2.0
    cdef double mean = 0, falls = 0, rises = 0, down = 0, across = 0
    cdef float fall, rise
    for y in range(rows):
        for x in range(columns):
            mean += cells[y, x, channel]
    mean /= max(1, rows * columns)
    for y in range(rows):
        for x in range(columns):
            falls += paper[y, x] * (y - middle_y) * (cells[y, x, channel] - mean)
            rises += paper[y, x] * (x - middle_x) * (cells[y, x, channel] - mean)
            down += paper[y, x] * (y - middle_y) * (y - middle_y)
            across += paper[y, x] * (x - middle_x) * (x - middle_x)
    fall, rise = falls / max(down, 1.0), rises / max(across, 1.0)
    for y in range(rows):
        for x in range(columns):
            into[y, x, channel] = <float> (y - middle_y) * fall + <float> (x - middle_x) * rise


def medians_around(const float[:, ::1] levels, int window):
    """Return the median of the square of `window` cells, an odd number to 255, around each level, rounded to 0-255.

    `levels` and the result are float32 (rows, columns); beyond the border it is repeated. A histogram slides along each
    row (Huang, Yang, Tang: A fast two-dimensional median filtering algorithm, IEEE Trans. Acoust. Speech Signal
    Process. 27 (1), 1979). Raises ValueError for another window.
    """
    cdef Py_ssize_t rows = levels.shape[0], columns = levels.shape[1], row, y, x
    cdef Py_ssize_t rim = window // 2, wide = columns + 2 * rim
    if not 1 <= window <= 255 or window % 2 == 0:
        raise ValueError(f"a window of {window} cells; an odd number from 1 to 255 is expected")
    found = np.empty((rows, columns), np.float32)
    if not found.size:
        return found
    cdef float[:, ::1] into = found
    cdef unsigned char* padded = <unsigned char*> malloc((rows + 2 * rim) * wide)
    if padded == NULL:
        raise MemoryError
    with nogil:
        for y in range(rows + 2 * rim):
            for x in range(wide):
                padded[y * wide + x] = whole(levels[min(max(y - rim, 0), rows - 1), min(max(x - rim, 0), columns - 1)])
        for row in range(rows):
            slide(padded + row * wide, wide, window, &into[row, 0], columns)
        free(padded)
    return found


cdef inline unsigned char whole(float level) noexcept nogil:
    """Return a level as a whole number, 0-255; 0 for what is no number."""
    level = level if level > 0 else 0
    return <unsigned char> rintf(level if level < 255 else 255)


cdef void slide(
    const unsigned char* cells, Py_ssize_t wide, int window, float* into, Py_ssize_t columns
) noexcept nogil:
    """Write the medians of squares that slide along rows of `wide` cells, of which `window` lie below each other."""
    cdef int[256] counts
    cdef int below = 0, level = 0, value, middle = window * window // 2  # `below` values are less than `level`
    cdef Py_ssize_t column, y, x
    memset(counts, 0, sizeof(counts))
    for y in range(window):
        for x in range(window):
            counts[cells[y * wide + x]] += 1
    for column in range(columns):
        if column:
            for y in range(window):
                value = cells[y * wide + column - 1]
                counts[value] -= 1
                below -= value < level
                value = cells[y * wide + column + window - 1]
                counts[value] += 1
                below += value < level
        while below > middle:
            level -= 1
            below -= counts[level]
        while below + counts[level] <= middle:
            below += counts[level]
            level += 1
        into[column] = level


cdef void over_squares(
    float* cells, Py_ssize_t rows, Py_ssize_t line, Py_ssize_t channels, Py_ssize_t size
) noexcept nogil:
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
    reach over the border; values there repeat the border's with `beyond`, and are infinite without. Raises ValueError
    unless `size` is 1 at least.
    """
    cdef Py_ssize_t height = values.shape[0], width = values.shape[1], channels = values.shape[2]
    cdef Py_ssize_t reach, rows, columns, line, y, x, c, i
    if size < 1:
        raise ValueError(f"squares of {size} cells; at least 1 is expected")
    found = np.empty((height, width, channels), np.float32)
    if not found.size:
        return found
    size = min(size, max(height, width) + 1)  # a larger square holds no more
    reach = size - 1
    rows, columns, line = height + reach, width + reach, (width + reach) * channels
    cdef float[:, :, ::1] into = found
    cdef float* cells = <float*> malloc(2 * rows * line * sizeof(float))
    if cells == NULL:
        raise MemoryError
    cdef float* turned = cells + rows * line
    with nogil:
        for y in range(rows):
            for x in range(columns):
                for c in range(channels):
                    cells[y * line + x * channels + c] = values[max(y - reach, 0), max(x - reach, 0), c]
        over_squares(cells, rows, line, channels, size)
        # The least of the squares that end with a value: the greatest of the negative picture, turned around.
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
