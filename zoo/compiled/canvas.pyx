"""Ink cut out of a picture and brought to a page: strokes measured and evened on a fine canvas, then centred."""

import math

import numpy as np

from libc.math cimport ceil, fabs, rint
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cdef enum:
    BITS = 22  # fractional bits of a resizing weight; 8 more for a grey level fit into int32
    HALF = 1 << (BITS - 1)
    LONGEST = 1 << 22  # pixels on a side of ink, at most, so that no weighted sum of a line overflows
    LARGEST = 1 << 15  # pixels on a side of a canvas, at most

cdef double QUARTER_PI = math.pi / 4


def cut_out(ink, digit, box, double none, double span):
    """Return ink, float32 (h, w), within a box, as levels: 0 where it is `none` or less, 1 where `span` more than that.

    Levels are 0 outside `digit`, bool (h, w). Raises ValueError if the arrays' shapes differ, if the ink is not
    float32, or if the box is empty or not in them.
    """
    cdef const float[:, ::1] pixels = np.ascontiguousarray(ink)
    cdef const uint8_t[:, ::1] marks = np.ascontiguousarray(digit, np.bool_).view(np.uint8)
    cdef Py_ssize_t left, top, right, bottom, row, width = pixels.shape[1]
    left, top, right, bottom = box
    if marks.shape[0] != pixels.shape[0] or marks.shape[1] != width:
        raise ValueError(f"{digit.shape} cells of marks for {ink.shape} of ink")
    if not (0 <= left < right <= width and 0 <= top < bottom <= pixels.shape[0]):
        raise ValueError(f"the box {box} is empty or not within {ink.shape} cells")
    level = np.empty((bottom - top, right - left), np.float32)
    cdef float[:, ::1] into = level
    with nogil:
        for row in range(top, bottom):
            to_levels(
                &pixels[row, left], &marks[row, left], &into[row - top, 0], right - left, <float> none, <float> span
            )
    return level


cdef void to_levels(
    const float* ink, const uint8_t* marks, float* into, Py_ssize_t width, float none, float span
) noexcept nogil:
    """Convert a row of ink to levels, 0-1, and 0 outside the marks."""
    cdef Py_ssize_t i
    cdef float value
    for i in range(width):
        value = (ink[i] - none) / span
        value = 0 if value < 0 else value
        value = 1 if value > 1 else value
        into[i] = value * marks[i]


def stroke_width(level):
    """Return the mean stroke width, in pixels, of ink, float32 (h, w): twice its area over the length of its outline.

    By Crofton's formula that length is pi/4 of the number of pixel edges between ink and background. Raises ValueError
    if there are no pixels, or if they are not float32.
    """
    cdef const float[:, ::1] pixels = np.ascontiguousarray(level)
    cdef Py_ssize_t height = pixels.shape[0], width = pixels.shape[1], row, edges = 0
    cdef double area = 0, length
    cdef float limit
    if not height or not width:
        raise ValueError(f"{height}x{width} pixels have no stroke width")
    with nogil:
        limit = <float> 0.5 * greatest_and_sum(&pixels[0, 0], height * width, &area)
        for row in range(height):
            edges += edges_across(&pixels[row, 0], width, limit)
            if row:
                edges += edges_between(&pixels[row - 1, 0], &pixels[row, 0], width, limit)
        edges += count_above(&pixels[0, 0], width, limit) + count_above(&pixels[height - 1, 0], width, limit)
    length = QUARTER_PI * edges
    return 2 * area / (length if length > 1 else 1)


cdef float greatest_and_sum(const float* values, Py_ssize_t count, double* total) noexcept nogil:
    """Return the greatest of at least one value, and add all to `total`, in four independent strands."""
    cdef Py_ssize_t i, k, whole = count - count % 4
    cdef float greatest[4]
    cdef double sums[4]
    for k in range(4):
        greatest[k], sums[k] = values[0], 0
    for i in range(0, whole, 4):
        for k in range(4):
            greatest[k] = values[i + k] if values[i + k] > greatest[k] else greatest[k]
            sums[k] += values[i + k]
    for i in range(whole, count):
        greatest[0] = values[i] if values[i] > greatest[0] else greatest[0]
        sums[0] += values[i]
    total[0] += (sums[0] + sums[1]) + (sums[2] + sums[3])
    for k in range(1, 4):
        greatest[0] = greatest[k] if greatest[k] > greatest[0] else greatest[0]
    return greatest[0]


cdef int32_t edges_across(const float* row, Py_ssize_t width, float limit) noexcept nogil:
    """Count changes between ink and background along a row, the background on both sides of it included."""
    cdef Py_ssize_t i
    cdef int32_t edges = (row[0] > limit) + (row[width - 1] > limit)
    for i in range(1, width):
        edges += (row[i] > limit) != (row[i - 1] > limit)
    return edges


cdef int32_t edges_between(const float* above, const float* row, Py_ssize_t width, float limit) noexcept nogil:
    """Count the places where one of two neighbouring rows has ink and the other has background."""
    cdef Py_ssize_t i
    cdef int32_t edges = 0
    for i in range(width):
        edges += (row[i] > limit) != (above[i] > limit)
    return edges


cdef int32_t count_above(const float* row, Py_ssize_t width, float limit) noexcept nogil:
    """Count the values above a limit."""
    cdef Py_ssize_t i
    cdef int32_t count = 0
    for i in range(width):
        count += row[i] > limit
    return count


def drawn(level, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t grow, bint smooth):
    """Resize ink, float32 (h, w), 0-1, to (rows, columns), and thicken its strokes by `grow` pixels on each side.

    A negative `grow` makes them thinner. Returns uint8 (rows + 2 |grow|, columns + 2 |grow|), light on black. It is
    resized as Pillow does it, which takes five times as long with its way there and back: bilinear if `smooth`, else by
    the mean of the pixels that are covered. Raises ValueError if the ink is not float32, if there is nothing to resize,
    or if a side is too long: of the ink over 4,194,304 pixels, of the rest over 32,768.
    """
    cdef const float[:, ::1] pixels = np.ascontiguousarray(level)
    cdef Py_ssize_t height = pixels.shape[0], width = pixels.shape[1], rim
    if not (0 < height <= LONGEST and 0 < width <= LONGEST):
        raise ValueError(f"cannot resize {height}x{width} pixels, but 1 to {LONGEST} on each side")
    if not (0 < rows <= LARGEST and 0 < columns <= LARGEST and -LARGEST <= 2 * <double> grow <= LARGEST):
        raise ValueError(
            f"cannot draw on {rows}x{columns} pixels, with strokes changed by {grow}, but on 1 to {LARGEST} on each "
            "side"
        )
    rim = grow if grow > 0 else -grow
    canvas = np.zeros((rows + 2 * rim, columns + 2 * rim), np.uint8)
    cdef uint8_t[:, ::1] into = canvas
    # Thinner strokes stay within what was resized; the black around it that eats into them is one pixel wide.
    cdef Py_ssize_t margin = rim if grow > 0 else min(rim, 1), first = rim - margin
    cdef Py_ssize_t times = rim if grow > 0 else min(rim, (min(rows, columns) + 1) // 2)
    cdef bint done
    with nogil:
        done = resize(&pixels[0, 0], height, width, &into[rim, rim], rows, columns, into.shape[1], smooth)
        if done:
            done = spread(
                &into[first, first], rows + 2 * margin, columns + 2 * margin, into.shape[1], times, grow > 0
            )
    if not done:
        raise MemoryError
    return canvas


cdef bint resize(
    const float* level,
    Py_ssize_t height,
    Py_ssize_t width,
    uint8_t* into,
    Py_ssize_t rows,
    Py_ssize_t columns,
    Py_ssize_t stride,
    bint smooth,
) noexcept nogil:
    """Resize levels, 0-1, (height, width) to grey levels (rows, columns), whose rows are `stride` apart.

    Across and down, each time rounded to 8 bits: as Pillow 13 does it (Resample.c, Alexander Karpinsky), which begins
    with down if that takes away more than twice as many rows as columns. Returns whether there was memory for it.
    """
    cdef int32_t across = taps(width, columns, smooth), down = taps(height, rows, smooth)
    cdef bint down_first = height > rows and height - rows > 2 * (width - columns)
    cdef Py_ssize_t size = rows * width if down_first else height * columns  # between the two directions
    cdef int32_t* weights = <int32_t*> malloc((columns * across + rows * down) * sizeof(int32_t))
    cdef int32_t* sums = <int32_t*> malloc(max(width, columns) * sizeof(int32_t))
    cdef uint8_t* grey = <uint8_t*> malloc(height * width + size)
    cdef uint8_t* between
    cdef int32_t* weights_down
    cdef bint done = weights != NULL and sums != NULL and grey != NULL
    if done:
        between = grey + height * width
        weights_down = weights + columns * across
        weigh(weights, width, columns, across, smooth)
        weigh(weights_down, height, rows, down, smooth)
        to_grey(level, grey, height * width)
        if down_first:
            resize_down(grey, between, width, rows, width, weights_down, down, sums)
            resize_across(between, width, into, stride, rows, columns, weights, across)
        else:
            resize_across(grey, width, between, columns, height, columns, weights, across)
            resize_down(between, into, stride, rows, columns, weights_down, down, sums)
    free(weights)
    free(sums)
    free(grey)
    return done


cdef void to_grey(const float* level, uint8_t* into, Py_ssize_t count) noexcept nogil:
    """Convert levels, 0-1, to grey levels, 0-255, rounded to the nearest, and of two such to the even one."""
    cdef Py_ssize_t i
    cdef float value
    for i in range(count):
        value = level[i] * 255
        value = value if value > 0 else 0
        value = value if value < 255 else 255
        into[i] = <uint8_t> <int32_t> rounded(value)


cdef inline float rounded(float value) noexcept nogil:
    """Return 0 to 2^22 as a whole number: with 2^23 added, float32 has no bits left for fractions."""
    cdef float large = 8388608
    return (value + large) - large


cdef inline double covered(Py_ssize_t size, Py_ssize_t count) noexcept nogil:
    """Return how many of `size` pixels one of `count` covers, and at least 1."""
    cdef double scale = <double> size / count
    return scale if scale > 1 else 1


cdef int32_t taps(Py_ssize_t size, Py_ssize_t count, bint smooth) noexcept nogil:
    """Return how many numbers `weigh` writes for a pixel, at most."""
    return <int32_t> ceil(covered(size, count) * (1 if smooth else 0.5)) * 2 + 3


cdef void weigh(int32_t* into, Py_ssize_t size, Py_ssize_t count, int32_t places, bint smooth) noexcept nogil:
    """Write for each of `count` pixels from which of `size` it is made: the first, their number, and their weights.

    These are `places` numbers for each pixel. Its weights are fixed-point numbers that sum to 1.
    """
    cdef double scale = <double> size / count, wide = covered(size, count), reach = wide * (1 if smooth else 0.5)
    cdef double middle, total, finer = 1 / wide, one = 1 << BITS
    cdef Py_ssize_t pixel, i, first, after
    for pixel in range(count):
        middle = (pixel + 0.5) * scale
        first = <Py_ssize_t> (middle - reach + 0.5)
        first = first if first > 0 else 0
        after = <Py_ssize_t> (middle + reach + 0.5)
        after = min(after, size, first + places - 2)
        total = 0
        for i in range(first, after):
            total += weight((i - middle + 0.5) * finer, smooth)
        total = total if total > 0 else 1
        into[0], into[1] = <int32_t> first, <int32_t> (after - first)
        for i in range(first, after):
            into[2 + i - first] = <int32_t> (0.5 + weight((i - middle + 0.5) * finer, smooth) / total * one)
        into += places


cdef inline double weight(double away, bint smooth) noexcept nogil:
    """Return the weight of a pixel by its distance, in pixels of the coarser side: a triangle's or a box's."""
    if smooth:
        return 1 - fabs(away) if fabs(away) < 1 else 0
    return 1 if -0.5 < away <= 0.5 else 0


cdef inline uint8_t unscaled(int32_t fixed) noexcept nogil:
    """Return the grey level of a weighted sum to which half a level was added."""
    return <uint8_t> min(fixed >> BITS, 255)


cdef void resize_across(
    const uint8_t* pixels,
    Py_ssize_t width,
    uint8_t* into,
    Py_ssize_t stride,
    Py_ssize_t rows,
    Py_ssize_t columns,
    const int32_t* weights,
    int32_t places,
) noexcept nogil:
    """Resize rows of `width` pixels to `columns`, by weights: `places` numbers for each."""
    cdef Py_ssize_t _row, column
    cdef int32_t total, i
    cdef const int32_t* factors
    cdef const uint8_t* source
    for _row in range(rows):
        factors = weights
        for column in range(columns):
            total = HALF
            source = pixels + factors[0]
            for i in range(factors[1]):
                total += source[i] * factors[2 + i]
            into[column] = unscaled(total)
            factors += places
        pixels += width
        into += stride


cdef void resize_down(
    const uint8_t* pixels,
    uint8_t* into,
    Py_ssize_t stride,
    Py_ssize_t rows,
    Py_ssize_t columns,
    const int32_t* weights,
    int32_t places,
    int32_t* sums,
) noexcept nogil:
    """Resize columns of pixels to `rows`, by weights: `places` numbers for each. `sums` is scratch for a row."""
    cdef Py_ssize_t _row, column
    cdef int32_t i, factor
    cdef const uint8_t* source
    for _row in range(rows):
        for column in range(columns):
            sums[column] = HALF
        source = pixels + weights[0] * columns
        for i in range(weights[1]):
            factor = weights[2 + i]
            for column in range(columns):
                sums[column] += source[column] * factor
            source += columns
        for column in range(columns):
            into[column] = unscaled(sums[column])
        weights += places
        into += stride


cdef bint spread(
    uint8_t* canvas, Py_ssize_t height, Py_ssize_t width, Py_ssize_t stride, Py_ssize_t times, bint grow
) noexcept nogil:
    """Replace each pixel by the greatest of itself and its four neighbours, `times` times: a grey dilation.

    By the least if not `grow`: an erosion. The rows are `stride` apart. Returns whether there was memory for it.
    """
    cdef uint8_t* memory = <uint8_t*> malloc(2 * width)
    cdef uint8_t* above
    cdef uint8_t* here
    cdef uint8_t* line
    cdef Py_ssize_t row
    if memory == NULL:
        return False
    above, here = memory, memory + width
    if not grow:  # the least is the greatest of the negative
        invert(canvas, height, width, stride)
    for _ in range(times):
        memcpy(here, canvas, width)
        for row in range(height):
            line = canvas + row * stride
            above, here = here, above
            memcpy(here, line, width)
            # Beyond its last row, as before its first one, the canvas has no neighbour that would count.
            widen(above, here, line + stride if row + 1 < height else here, line, width)
    if not grow:
        invert(canvas, height, width, stride)
    free(memory)
    return True


cdef void invert(uint8_t* canvas, Py_ssize_t height, Py_ssize_t width, Py_ssize_t stride) noexcept nogil:
    """Replace each grey level by that of the negative; the rows are `stride` apart."""
    cdef Py_ssize_t row, i
    for row in range(height):
        for i in range(width):
            canvas[row * stride + i] = 255 - canvas[row * stride + i]


cdef inline uint8_t most(uint8_t a, uint8_t b) noexcept nogil:
    return a if a > b else b


cdef void widen(
    const uint8_t* above, const uint8_t* here, const uint8_t* below, uint8_t* into, Py_ssize_t width
) noexcept nogil:
    """Write the greatest of each pixel of `here` and its neighbours."""
    cdef Py_ssize_t i
    for i in range(width):
        into[i] = most(most(above[i], below[i]), here[i])
    for i in range(1, width):
        into[i] = most(into[i], here[i - 1])
    for i in range(width - 1):
        into[i] = most(into[i], here[i + 1])


def centred(canvas, Py_ssize_t side, Py_ssize_t fine, double middle, Py_ssize_t unit):
    """Move a canvas, uint8 (h, w), so that its centre of mass is in the middle of a page, and reduce the page.

    The page is black, `side` times `fine` canvas pixels on each side, and its middle is at `middle` of them; the canvas
    moves by multiples of `unit` of them. Returns the means of blocks of fine x fine pixels, brightened so that the
    greatest is 255, uint8 (side, side), and where the canvas's left and top edge is on the page, in its pixels. Raises
    ValueError if there are no pixels, if they are not uint8, if a side is longer than 65,536, or if the numbers
    describe no page.
    """
    cdef const uint8_t[:, ::1] pixels = np.ascontiguousarray(canvas)
    cdef Py_ssize_t height = pixels.shape[0], width = pixels.shape[1], x, y
    cdef double across, down
    if not (0 < height <= 2 * LARGEST and 0 < width <= 2 * LARGEST):
        raise ValueError(f"cannot centre {height}x{width} pixels, but 1 to {2 * LARGEST} on each side")
    if not (0 < side <= LARGEST and 0 < fine <= 256 and unit > 0 and 0 <= middle <= side * fine):
        raise ValueError(f"cannot centre on {side}x{side} pixels of {fine}x{fine} each, around {middle}, by {unit}")
    seen = np.empty((side, side), np.uint8)
    cdef uint8_t[:, ::1] into = seen
    cdef int32_t* sums = <int32_t*> malloc(max(width, side * fine) * sizeof(int32_t))
    if sums == NULL:
        raise MemoryError
    with nogil:
        centre_of_mass(&pixels[0, 0], height, width, sums, &across, &down)
        x, y = unit * <Py_ssize_t> rint((middle - across) / unit), unit * <Py_ssize_t> rint((middle - down) / unit)
        reduce(&pixels[0, 0], height, width, x, y, sums, &into[0, 0], side, fine)
        brighten(&into[0, 0], side * side)
    free(sums)
    return seen, x, y


cdef void centre_of_mass(
    const uint8_t* pixels, Py_ssize_t height, Py_ssize_t width, int32_t* sums, double* across, double* down
) noexcept nogil:
    """Find the centre of mass, in pixels from the left and from the top; (0, 0) if all are black.

    `sums` is scratch for `width` of them.
    """
    cdef Py_ssize_t row, i, total = 0, moment_across = 0, moment_down = 0
    cdef int32_t line
    memset(sums, 0, width * sizeof(int32_t))
    for row in range(height):
        line = 0
        for i in range(width):
            line += pixels[i]
            sums[i] += pixels[i]
        moment_down += row * line
        pixels += width
    for i in range(width):
        total += sums[i]
        moment_across += i * sums[i]
    total = max(1, total)
    across[0], down[0] = <double> moment_across / total, <double> moment_down / total


cdef void reduce(
    const uint8_t* pixels,
    Py_ssize_t height,
    Py_ssize_t width,
    Py_ssize_t x,
    Py_ssize_t y,
    int32_t* sums,
    uint8_t* into,
    Py_ssize_t side,
    Py_ssize_t fine,
) noexcept nogil:
    """Write the means of blocks of a page on which `pixels` have their corner at (x, y), rounded, halves up.

    `sums` is scratch for a row of the page.
    """
    cdef Py_ssize_t page = side * fine, left = max(0, x), right = min(page, x + width), row, line, column, i
    cdef int32_t total, area = <int32_t> (fine * fine)
    cdef const uint8_t* source
    for row in range(side):
        memset(sums, 0, page * sizeof(int32_t))
        for line in range(max(row * fine, y), min((row + 1) * fine, y + height)):
            source = pixels + (line - y) * width
            for i in range(left, right):
                sums[i] += source[i - x]
        for column in range(side):
            total = area // 2
            for i in range(column * fine, (column + 1) * fine):
                total += sums[i]
            into[row * side + column] = <uint8_t> (total // area)


cdef void brighten(uint8_t* levels, Py_ssize_t count) noexcept nogil:
    """Multiply grey levels so that the greatest becomes 255, unless all are 0."""
    cdef Py_ssize_t i
    cdef uint8_t greatest = 0
    cdef float factor
    for i in range(count):
        greatest = most(greatest, levels[i])
    if 0 < greatest < 255:
        factor = <float> (255.0 / greatest)
        for i in range(count):
            levels[i] = <uint8_t> <int32_t> rounded(levels[i] * factor)
