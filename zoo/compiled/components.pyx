"""The connected components of a mask, called marks, and what is decided by comparing their boxes and ink."""

import numpy as np

from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memset

cdef enum:  # the rows of the table of measures, and their number
    LEFT, TOP, RIGHT, BOTTOM, SIDES, CORNERS, MEASURES

cdef enum:  # the rows of the table of amounts, and their number
    MASS, AREA, AMOUNTS

cdef enum:
    LARGEST = 1 << 27  # cells of a mask, at most, so that no number of runs overflows an int

cdef struct Run:
    int row, start, end
    int mark  # while runs are joined: an earlier run of the same mark, or the run itself


cdef inline int head_of(Run* runs, int run) noexcept nogil:
    """Return the first run known to be of the same mark, and shorten the way to it (path halving)."""
    while runs[run].mark != run:
        runs[run].mark = runs[runs[run].mark].mark
        run = runs[run].mark
    return run


cdef inline void join(Run* runs, int run, int other) noexcept nogil:
    """Make one mark of those of two runs; its head is the earlier of both heads."""
    cdef int head = head_of(runs, run), second = head_of(runs, other)
    if head < second:
        runs[second].mark = head
    else:
        runs[head].mark = second


cdef int runs_in(const unsigned char* cells, int height, int width, Run** found) noexcept nogil:
    """Write the runs of a mask to `found`, joined with those they touch, and return their number; -1 without memory."""
    cdef int used = 0, room = 0, above = 0, above_end, touching, row, start, end
    cdef const unsigned char* line
    cdef const unsigned char* place
    cdef Run* runs = NULL
    for row in range(height):
        if room - used <= width // 2:
            room += room // 2 + 8 * width
            runs = <Run*> realloc(found[0], room * sizeof(Run))
            if runs == NULL:
                return -1
            found[0] = runs
        line = cells + <Py_ssize_t> row * width
        above_end = used
        end = 0
        while end < width:
            place = <const unsigned char*> memchr(line + end, 1, width - end)
            if place == NULL:
                break
            start = <int> (place - line)
            place = <const unsigned char*> memchr(place, 0, width - start)
            end = width if place == NULL else <int> (place - line)
            runs[used] = Run(row, start, end, used)
            while above < above_end and runs[above].end < start:
                above += 1
            touching = above
            while touching < above_end and runs[touching].start <= end:
                join(runs, touching, used)
                touching += 1
            used += 1
        above = above_end
    return used


cdef int numbered(Run* runs, int count) noexcept nogil:
    """Replace the links between joined runs by the numbers of their marks, and return how many marks there are."""
    cdef int run, marks = 0
    for run in range(count):
        if runs[run].mark == run:
            runs[run].mark = marks
            marks += 1
        else:
            runs[run].mark = runs[runs[run].mark].mark  # of an earlier run, which has its number
    return marks


cdef class Components:
    """The 8-connected components of a mask, the marks, and loops over them.

    Labelled by runs along the rows, and numbered from 0 in the order of their first runs (He, Chao, Suzuki: A run-based
    two-scan labeling algorithm, IEEE Trans. Image Process. 17 (5), 2008).

    Arrays (n,): `mass`, the sum of a mark's ink, and `area`, its cells, are float64; `left`, `top`, `right` and
    `bottom`, its box, and `sides`, how many of the picture's sides it touches, are intp; all are read-only. `foreign`,
    bool, is for the caller and `set_foreign` to fill.
    """

    cdef readonly object mass, area, left, top, right, bottom, sides, foreign
    cdef Run* runs
    cdef int run_count
    cdef Py_ssize_t count, height, width
    cdef double[:, ::1] amounts
    cdef Py_ssize_t[:, ::1] measures
    cdef unsigned char[::1] is_foreign

    def __cinit__(self, mask, const float[:, :] ink):
        """Measure the marks of `mask`, bool (h, w), and their `ink`, float32 (h, w).

        Raises ValueError if they have not the same two dimensions, if the ink is not float32, or if the mask has more
        than 2**27 cells.
        """
        cdef const unsigned char[:, ::1] cells = np.ascontiguousarray(mask, np.bool_).view(np.uint8)
        self.height, self.width = cells.shape[0], cells.shape[1]
        if ink.shape[0] != self.height or ink.shape[1] != self.width:
            raise ValueError(
                f"a mask of {self.height}x{self.width} cells and ink of {ink.shape[0]}x{ink.shape[1]} must have the "
                "same shape"
            )
        if self.height > LARGEST // max(1, self.width):
            raise ValueError(f"the mask has {self.height}x{self.width} cells, and may have {LARGEST}")
        if self.height and self.width:
            with nogil:
                self.run_count = runs_in(&cells[0, 0], <int> self.height, <int> self.width, &self.runs)
                self.count = numbered(self.runs, self.run_count)
        if self.run_count < 0:
            raise MemoryError
        amounts = np.zeros((AMOUNTS, self.count))
        measures = np.zeros((MEASURES, self.count), np.intp)
        self.foreign = np.zeros(self.count, np.bool_)
        self.amounts, self.measures, self.is_foreign = amounts, measures, self.foreign.view(np.uint8)
        amounts.flags.writeable = measures.flags.writeable = False  # the loops trust them
        self.mass, self.area = amounts
        self.left, self.top, self.right, self.bottom, self.sides, _ = measures
        with nogil:
            self.measure(ink)

    def __dealloc__(self):
        free(self.runs)

    cdef void measure(self, const float[:, :] ink) noexcept nogil:
        """Fill the tables."""
        cdef Py_ssize_t mark, x
        cdef int number
        cdef double mass
        cdef Run run
        for mark in range(self.count):
            self.measures[LEFT, mark] = self.width
            self.measures[TOP, mark] = self.height
        for number in range(self.run_count):
            run = self.runs[number]
            mark, mass = run.mark, 0
            for x in range(run.start, run.end):
                mass += ink[run.row, x]
            self.amounts[MASS, mark] += mass
            self.amounts[AREA, mark] += run.end - run.start
            self.measures[LEFT, mark] = min(self.measures[LEFT, mark], run.start)
            self.measures[TOP, mark] = min(self.measures[TOP, mark], run.row)
            self.measures[RIGHT, mark] = max(self.measures[RIGHT, mark], run.end)
            self.measures[BOTTOM, mark] = run.row + 1
            self.measures[CORNERS, mark] += ((run.row == 0) + (run.row == self.height - 1)) * (
                (run.start == 0) + (run.end == self.width)
            )
        for mark in range(self.count):
            self.measures[SIDES, mark] = (
                (self.measures[LEFT, mark] == 0)
                + (self.measures[TOP, mark] == 0)
                + (self.measures[RIGHT, mark] == self.width)
                + (self.measures[BOTTOM, mark] == self.height)
            )

    cdef inline Py_ssize_t wide(self, Py_ssize_t mark) noexcept:
        return self.measures[RIGHT, mark] - self.measures[LEFT, mark]

    cdef inline Py_ssize_t tall(self, Py_ssize_t mark) noexcept:
        return self.measures[BOTTOM, mark] - self.measures[TOP, mark]

    cdef int check(self, Py_ssize_t mark) except -1:
        """Raise IndexError unless there is such a mark. Returns 0."""
        if not 0 <= mark < self.count:
            raise IndexError(f"there is no mark {mark}, but {self.count}, numbered from 0")
        return 0

    def paint(self, marks):
        """Return the cells of some of the marks: bool (n,) to bool (h, w).

        Raises ValueError for another length.
        """
        cdef const unsigned char[:] kept = marks.view(np.uint8)
        painted = np.zeros((self.height, self.width), np.bool_)
        cdef unsigned char[:, ::1] cells = painted.view(np.uint8)
        cdef int number
        cdef Run* run
        if kept.shape[0] != self.count:
            raise ValueError(f"there are {self.count} marks, not {kept.shape[0]}")
        with nogil:
            for number in range(self.run_count):
                run = &self.runs[number]
                if kept[run.mark]:
                    memset(&cells[run.row, run.start], 1, run.end - run.start)
        return painted

    def body(self, Py_ssize_t mark):
        """Return the cells of a mark, cut to its box: bool (its height, its width).

        Raises IndexError if there is no such mark.
        """
        self.check(mark)
        cdef Py_ssize_t left = self.measures[LEFT, mark], top = self.measures[TOP, mark]
        painted = np.zeros((self.tall(mark), self.wide(mark)), np.bool_)
        cdef unsigned char[:, ::1] cells = painted.view(np.uint8)
        cdef int number
        cdef Run* run
        with nogil:
            for number in range(self.run_count):
                run = &self.runs[number]
                if run.mark == mark:
                    memset(&cells[run.row - top, run.start - left], 1, run.end - run.start)
        return painted

    def label(self):
        """Return the mark of each cell, intp (h, w); -1 where there is none."""
        labels = np.full((self.height, self.width), -1, np.intp)
        cdef Py_ssize_t[:, ::1] cells = labels
        cdef int number
        cdef Py_ssize_t x
        cdef Run run
        with nogil:
            for number in range(self.run_count):
                run = self.runs[number]
                for x in range(run.start, run.end):
                    cells[run.row, x] = run.mark
        return labels

    def set_foreign(
        self, Py_ssize_t rim, double solid, double large, double some, double slight, double wedge, double along
    ):
        """Set `foreign` of each mark that looks like a table's edge, a shadow, a wedge or a scan's rim; else clear it.

        A mark that touches two sides is foreign if it covers more than `solid` of its box and `large` of the picture.
        If it covers more than `some` of the picture, two corners suffice; or one if it touches two sides as a wedge
        does: shorter than `slight` times its longer side, covering `wedge` of its box, and longer than `along` times a
        side of the picture. So is a mark within `rim` cells of a side, unless `rim` is 0.
        """
        cdef Py_ssize_t mark, tall, wide, sides, corners, height = self.height, width = self.width
        cdef double area
        cdef bint found
        for mark in range(self.count):
            tall, wide, area = self.tall(mark), self.wide(mark), self.amounts[AREA, mark]
            sides, corners = self.measures[SIDES, mark], self.measures[CORNERS, mark]
            found = False
            if sides >= 2:
                found = area > solid * tall * wide and area > large * height * width
                found = found or (area > some * height * width) and (
                    corners >= 2
                    or (
                        corners == 1
                        and sides == 2
                        and min(tall, wide) < slight * max(tall, wide)
                        and area > wedge * tall * wide
                        and max(<double> tall / height, <double> wide / width) > along
                    )
                )
            if rim:
                found = found or self.measures[BOTTOM, mark] <= rim or self.measures[TOP, mark] >= height - rim
                found = found or self.measures[RIGHT, mark] <= rim or self.measures[LEFT, mark] >= width - rim
            self.is_foreign[mark] = found

    def spanning(self, double share, double open, Py_ssize_t most):
        """Return the first `most` marks that are higher and wider than `share` of the picture, and cover less than
        `open` of their boxes.
        """
        cdef Py_ssize_t mark, tall, wide
        found = []
        for mark in range(self.count):
            tall, wide = self.tall(mark), self.wide(mark)
            if tall > share * self.height and wide > share * self.width and len(found) < most:
                if self.amounts[AREA, mark] < open * tall * wide:
                    found.append(mark)
        return found

    def heaviest(self, double foreign):
        """Return the mark with most ink, where that of foreign marks counts `foreign` times.

        Raises ValueError if there are no marks.
        """
        cdef Py_ssize_t mark, best = 0
        cdef double weight, most = 0
        if not self.count:
            raise ValueError(f"no marks in {self.height}x{self.width} cells, of which one would be the heaviest")
        for mark in range(self.count):
            weight = self.amounts[MASS, mark] * foreign if self.is_foreign[mark] else self.amounts[MASS, mark]
            if mark == 0 or weight > most:
                best, most = mark, weight
        return best

    cdef inline bint holds(
        self, Py_ssize_t outer, Py_ssize_t inner, double within, double aside, double apart
    ) noexcept:
        """Whether `inner` is in the box of `outer`; see `held`."""
        return (
            self.tall(inner) > within * self.tall(outer)
            and self.measures[LEFT, inner] > self.measures[LEFT, outer] + aside
            and self.measures[RIGHT, inner] < self.measures[RIGHT, outer] - aside
            and self.measures[TOP, inner] > self.measures[TOP, outer] + apart
            and self.measures[BOTTOM, inner] < self.measures[BOTTOM, outer] - apart
        )

    def held(self, Py_ssize_t outer, double within, double aside, double apart):
        """Return the marks in the box of another, as a list. Raises IndexError if there is no mark `outer`.

        They are higher than `within` times the box, more than `aside` from its left and right, and more than `apart`
        from its top and bottom.
        """
        cdef Py_ssize_t mark
        found = []
        self.check(outer)
        for mark in range(self.count):
            if self.holds(outer, mark, within, aside, apart):
                found.append(mark)
        return found

    def rivals(self, Py_ssize_t best, double mass, double tall, double long, double overlap):
        """Whether a mark that is not foreign lies beside `best`, or above or below it, and is about as large.

        It has more than `mass` of its ink, `tall` of its height, and `long` of its longer side. Marks beside each other
        overlap by less than `overlap` of the smaller width. Raises IndexError if there is no mark `best`.
        """
        cdef Py_ssize_t mark, wide, shared, high
        self.check(best)
        wide, high = self.wide(best), self.tall(best)
        for mark in range(self.count):
            if mark == best or self.is_foreign[mark] or not self.amounts[MASS, mark] > mass * self.amounts[MASS, best]:
                continue
            if not (self.tall(mark) > tall * high and max(self.tall(mark), self.wide(mark)) > long * max(wide, high)):
                continue
            shared = min(self.measures[RIGHT, mark], self.measures[RIGHT, best])
            shared -= max(self.measures[LEFT, mark], self.measures[LEFT, best])
            if shared < overlap * min(self.wide(mark), wide) or self.apart(mark, best) > 0:
                return True
        return False

    cdef inline Py_ssize_t apart(self, Py_ssize_t mark, Py_ssize_t other) noexcept:
        """Return the vertical gap between two marks; it is negative if their rows overlap."""
        return max(
            self.measures[TOP, mark] - self.measures[BOTTOM, other],
            self.measures[TOP, other] - self.measures[BOTTOM, mark],
        )

    cdef inline Py_ssize_t aside(self, Py_ssize_t mark, Py_ssize_t other) noexcept:
        """Return the horizontal gap between two marks; it is negative if their columns overlap."""
        return max(
            self.measures[LEFT, mark] - self.measures[RIGHT, other],
            self.measures[LEFT, other] - self.measures[RIGHT, mark],
        )

    def parts(self, Py_ssize_t best, double near, double heavy, double speck, double faint):
        """Return which marks may be parts of the same digit as `best`, bool (n,).

        They are nearer than `near` times its longer side or have more than `heavy` times its ink; they have at least
        `speck` times its ink, and a mean ink of more than `faint`, in grey levels. Foreign marks are none, unless
        `best` touches two sides: then the digit fills its picture, and its other parts touch the borders too. Raises
        IndexError if there is no mark `best`.
        """
        cdef Py_ssize_t mark, long
        cdef double mass, whole
        cdef bint fills
        self.check(best)
        long = max(self.wide(best), self.tall(best))
        whole, fills = self.amounts[MASS, best], self.measures[SIDES, best] >= 2
        kept = np.zeros(self.count, np.bool_)
        cdef unsigned char[::1] keeps = kept.view(np.uint8)
        for mark in range(self.count):
            mass = self.amounts[MASS, mark]
            keeps[mark] = mark == best or (
                (max(self.aside(mark, best), self.apart(mark, best)) < near * long or mass > heavy * whole)
                and mass >= speck * whole
                and mass > faint * self.amounts[AREA, mark]
                and (fills or not self.is_foreign[mark])
            )
        return kept

    def underlines(self, Py_ssize_t best, double flat, double wide, double clear):
        """Return the marks below `best` that are lower than `flat` times their width, as a list.

        They are wider than `wide` times `best`, and at least a cell and `clear` times their own height below it.
        Raises IndexError if there is no mark `best`.
        """
        cdef Py_ssize_t mark
        cdef double gap
        found = []
        self.check(best)
        for mark in range(self.count):
            if self.tall(mark) < flat * self.wide(mark) and self.wide(mark) > wide * self.wide(best):
                gap = max(1.0, clear * self.tall(mark))
                if self.measures[TOP, mark] >= self.measures[BOTTOM, best] + gap:
                    found.append(mark)
        return found

    cdef inline bint is_ring(self, Py_ssize_t mark, double round, double hollow) noexcept:
        """Whether a mark may be a ring; see `rings`."""
        cdef Py_ssize_t wide = self.wide(mark), tall = self.tall(mark)
        return min(wide, tall) >= round * max(wide, tall) and self.amounts[AREA, mark] < hollow * wide * tall

    cdef inline bint surrounds(self, Py_ssize_t ring, Py_ssize_t inner, double clear, double within) noexcept:
        """Whether a ring is around `inner`; see `rings`."""
        return self.holds(ring, inner, within, clear * self.wide(ring), clear * self.tall(ring))

    def rings(self, Py_ssize_t inner, double round, double hollow, double clear, double within):
        """Return the marks that are rings or boxes around `inner`, as a list. Raises IndexError if there is no `inner`.

        The shorter side of a ring is at least `round` times its longer one, and it covers less than `hollow` of its
        box. `inner` is more than `clear` times the ring's width and height from its sides, and higher than `within`
        times the ring.
        """
        cdef Py_ssize_t mark
        found = []
        self.check(inner)
        for mark in range(self.count):
            if self.is_ring(mark, round, hollow) and self.surrounds(mark, inner, clear, within):
                found.append(mark)
        return found

    def heaviest_within(self, Py_ssize_t ring, double round, double hollow, double clear, double within):
        """Return the mark with most ink that `ring` is a ring or box around, or -1; see `rings`.

        Raises IndexError if there is no mark `ring`.
        """
        cdef Py_ssize_t mark, best = -1
        self.check(ring)
        if not self.is_ring(ring, round, hollow):
            return best
        for mark in range(self.count):
            if self.surrounds(ring, mark, clear, within):
                if best < 0 or self.amounts[MASS, mark] > self.amounts[MASS, best]:
                    best = mark
        return best
