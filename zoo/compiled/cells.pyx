"""Loops over the cells of masks: their boxes and hulls, the rectangles around them, growing and thinning them.

All raise ValueError for a mask that has not two dimensions.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy, memset


cdef const unsigned char[:, ::1] cells_of(mask):
    """Return the cells, 0 or 1, of a mask, bool (h, w). Raises ValueError unless it has two dimensions."""
    return np.ascontiguousarray(mask, np.bool_).view(np.uint8)


cdef void add_to(unsigned char* into, const unsigned char* line, Py_ssize_t width) noexcept nogil:
    """Add the cells of a row."""
    cdef Py_ssize_t x
    for x in range(width):
        into[x] |= line[x]


cdef Py_ssize_t first_in(const unsigned char* line, Py_ssize_t width) noexcept nogil:
    """Return the first cell of a row that is 1; -1 if there is none."""
    cdef const unsigned char* place = <const unsigned char*> memchr(line, 1, width)
    return -1 if place == NULL else place - line


cdef Py_ssize_t last_in(const unsigned char* line, Py_ssize_t width) noexcept nogil:
    """Return the last cell of a row that is 1; -1 if there is none."""
    cdef Py_ssize_t x = width - 1
    while x >= 0 and not line[x]:
        x -= 1
    return x


cdef unsigned char* columns_in(const unsigned char[:, ::1] cells, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    """Return whether each of w > 0 columns has a cell in some rows: (w,), 0 or 1, which the caller frees.

    NULL without memory.
    """
    cdef Py_ssize_t y
    cdef unsigned char* columns = <unsigned char*> calloc(cells.shape[1], 1)
    if columns != NULL:
        for y in range(first, end):
            add_to(columns, &cells[y, 0], cells.shape[1])
    return columns


cdef Py_ssize_t count_columns(const unsigned char[:, ::1] cells, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    """Return how many of w > 0 columns have a cell in some rows; -1 without memory."""
    cdef Py_ssize_t x, count = 0
    cdef unsigned char* columns = columns_in(cells, first, end)
    if columns == NULL:
        return -1
    for x in range(cells.shape[1]):
        count += columns[x]
    free(columns)
    return count


def box_of(mask):
    """Return the bounding box of a mask, bool (h, w): left, top, right, bottom; -1, -1, 0, 0 if it is empty."""
    cdef const unsigned char[:, ::1] cells = cells_of(mask)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], top = 0, bottom = height, left = 0, right = 0
    cdef unsigned char* columns = NULL
    if not width:
        return -1, -1, 0, 0
    with nogil:
        while top < height and memchr(&cells[top, 0], 1, width) == NULL:
            top += 1
        while bottom > top and memchr(&cells[bottom - 1, 0], 1, width) == NULL:
            bottom -= 1
        if top < bottom:
            columns = columns_in(cells, top, bottom)
        if columns != NULL:
            left, right = first_in(columns, width), last_in(columns, width) + 1
            free(columns)
    if top == height:
        return -1, -1, 0, 0
    if columns == NULL:
        raise MemoryError
    return left, top, right, bottom


def count_inked(mask):
    """Return how many columns and how many rows of a mask, bool (h, w), have a cell."""
    cdef const unsigned char[:, ::1] cells = cells_of(mask)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], across, down = 0, y
    if not width:
        return 0, 0
    with nogil:
        for y in range(height):
            down += memchr(&cells[y, 0], 1, width) != NULL
        across = count_columns(cells, 0, height)
    if across < 0:
        raise MemoryError
    return across, down


def hull_of(mask):
    """Return a mask, bool (h, w), with every cell added that lies between cells of it both in its row and in its
    column.
    """
    cdef const unsigned char[:, ::1] cells = cells_of(mask)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], first, last, x, y
    hull = np.zeros((height, width), np.bool_)
    cdef unsigned char[:, ::1] into = hull.view(np.uint8)
    cdef unsigned char* seen
    if not width or not height:
        return hull
    seen = <unsigned char*> calloc(width, 1)
    if seen == NULL:
        raise MemoryError
    with nogil:
        for y in range(height):
            add_to(seen, &cells[y, 0], width)
            first, last = first_in(&cells[y, 0], width), last_in(&cells[y, 0], width)
            if first >= 0:
                memcpy(&into[y, first], seen + first, last + 1 - first)
        memset(seen, 0, width)
        for y in range(height - 1, -1, -1):
            add_to(seen, &cells[y, 0], width)
            for x in range(width):
                into[y, x] &= seen[x]
    free(seen)
    return hull


cdef void widen_limits(
    const float* cosines, const float* sines, Py_ssize_t count, float[:, ::1] ends, float first, float last, float row
) noexcept nogil:
    """Widen the `ends` in each direction to those of a run of cells: least and most along it, and across it."""
    cdef float* low = &ends[0, 0]
    cdef float* high = &ends[1, 0]
    cdef float* near = &ends[2, 0]
    cdef float* far = &ends[3, 0]
    cdef Py_ssize_t i
    cdef float c, s, place
    for i in range(count):
        c, s = cosines[i], sines[i]
        place = c * first + s * row
        low[i] = place if place < low[i] else low[i]
        place = c * last + s * (row + 1)
        high[i] = place if place > high[i] else high[i]
        place = c * row - s * last
        near[i] = place if place < near[i] else near[i]
        place = c * (row + 1) - s * first
        far[i] = place if place > far[i] else far[i]


def rectangle_around(hull, const float[:, ::1] turns):
    """Return the shorter and the longer side in cells of the smallest rectangle around a mask without gaps in its rows.

    `hull` is bool (h, w); `turns`, float32 (2, n), n > 0, are cosines and sines of the directions that are tried, from
    0 to 90 degrees. Raises ValueError for directions of another type or shape, and for an empty mask.
    """
    cdef const unsigned char[:, ::1] cells = cells_of(hull)
    cdef Py_ssize_t count = turns.shape[1], width = cells.shape[1], first, last, y, i
    cdef bint is_empty = True
    cdef float along, across, least = 0, short = 0, long = 0
    if turns.shape[0] != 2 or not count:
        raise ValueError(f"directions are (2, n), cosines and sines, not ({turns.shape[0]}, {count})")
    limits = np.empty((4, count), np.float32)
    limits[::2], limits[1::2] = np.inf, -np.inf
    cdef float[:, ::1] ends = limits
    with nogil:
        for y in range(cells.shape[0] if width else 0):
            first = first_in(&cells[y, 0], width)
            if first >= 0:
                is_empty, last = False, last_in(&cells[y, 0], width)
                widen_limits(&turns[0, 0], &turns[1, 0], count, ends, first, last + 1, y)
        for i in range(count):
            along, across = ends[1, i] - ends[0, i], ends[3, i] - ends[2, i]
            if i == 0 or along * across < least:
                least, short, long = along * across, min(along, across), max(along, across)
    if is_empty:
        raise ValueError(f"an empty mask, of {cells.shape[0]}x{width} cells, has no rectangle around it")
    return short, long


cdef void grow(
    const unsigned char* cells, unsigned char* into, Py_ssize_t height, Py_ssize_t width, bint across
) noexcept nogil:
    """Write a mask, grown by one cell up and down, and with `across` also left and right, into another place."""
    cdef Py_ssize_t y
    memcpy(into, cells, height * width)
    add_to(into + width, cells, (height - 1) * width)
    add_to(into, cells + width, (height - 1) * width)
    if across:
        for y in range(height):
            add_to(into + y * width + 1, cells + y * width, width - 1)
            add_to(into + y * width, cells + y * width + 1, width - 1)


def spread_out(mask, Py_ssize_t times, bint across=True):
    """Grow a mask, bool (h, w), by one cell up and down, and with `across` also left and right, `times` times.

    Not at all if `times` is less than 1.
    """
    cdef const unsigned char[:, ::1] cells = cells_of(mask)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], left
    grown = np.empty((height, width), np.bool_)
    if not height or not width:
        return grown
    cdef unsigned char[:, ::1] into = grown.view(np.uint8)
    cdef const unsigned char* source = &cells[0, 0]
    cdef unsigned char* target
    cdef unsigned char* spare = NULL
    times = min(times, height + width)  # after as many, nothing is left to grow into
    if times > 1:
        spare = <unsigned char*> malloc(height * width)
        if spare == NULL:
            raise MemoryError
    with nogil:
        if times < 1:
            memcpy(&into[0, 0], source, height * width)
        for left in range(times, 0, -1):
            target = &into[0, 0] if left % 2 else spare
            grow(source, target, height, width, across)
            source = target
    free(spare)
    return grown


def widened(mask, Py_ssize_t by):
    """Grow a mask, bool (h, w), by that many cells to the left and right. Raises ValueError if it is less than 0."""
    cdef const unsigned char[:, ::1] cells = cells_of(mask)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], first, reach, y, x
    wide = np.zeros((height, width), np.bool_)
    cdef unsigned char[:, ::1] into = wide.view(np.uint8)
    if by < 0:
        raise ValueError(f"a mask grows by 0 cells or more, not by {by}")
    by = min(by, width)
    with nogil:
        for y in range(height):
            x = 0
            while x < width:
                first = first_in(&cells[y, x], width - x)
                if first < 0:
                    break
                first += x
                x = first + 1
                while x < width and cells[y, x]:
                    x += 1
                reach = min(width, x + by)
                memset(&into[y, max(0, first - by)], 1, reach - max(0, first - by))
    return wide


def thicker_than(mask, Py_ssize_t limit):
    """Return the part of a mask, bool (h, w), that lies in runs of more than `limit` cells down a column.

    Raises ValueError if the limit is less than 0.
    """
    cdef const unsigned char[:, ::1] cells = cells_of(mask)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], x, y
    thick = np.empty((height, width), np.bool_)
    cdef unsigned char[:, ::1] into = thick.view(np.uint8)
    cdef int[::1] depth = np.zeros(width, np.intc)  # of the run that each column is in, down to this row
    cdef int most = <int> min(limit, height)
    if limit < 0:
        raise ValueError(f"a run has 0 cells or more, not {limit}")
    with nogil:
        for y in range(height):
            for x in range(width):
                depth[x] = (depth[x] + 1) & -<int> cells[y, x]
                into[y, x] = depth[x] > most
        # The last cell of a thick run is known by now; the others are those above it.
        for y in range(height - 2, -1, -1):
            for x in range(width):
                into[y, x] |= into[y + 1, x] & cells[y, x]
    return thick


def straight_sides(body, Py_ssize_t down, Py_ssize_t across, double share):
    """Return along how many sides of its box a mark, bool (h, w), has cells in more than `share` of the side.

    Those within `down` rows of the top and bottom, and `across` columns of the left and right, count.
    """
    cdef const unsigned char[:, ::1] cells = cells_of(body)
    cdef Py_ssize_t height = cells.shape[0], width = cells.shape[1], top, bottom, left = 0, right = 0, y
    if not height or not width:
        return 0
    down, across = max(1, min(down, height)), max(1, min(across, width))
    with nogil:
        top, bottom = count_columns(cells, 0, down), count_columns(cells, height - down, height)
        for y in range(height):
            left += memchr(&cells[y, 0], 1, across) != NULL
            right += memchr(&cells[y, width - across], 1, across) != NULL
    if top < 0 or bottom < 0:
        raise MemoryError
    return (
        (<double> top / width > share)
        + (<double> bottom / width > share)
        + (<double> left / height > share)
        + (<double> right / height > share)
    )
