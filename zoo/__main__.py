"""The command `zoo`, and `python -m zoo`. Ctrl-C ends it without a traceback, even while it is being imported."""

import gc
import os
import sys

GARBAGE = (50_000, 20, 20)
"""Thresholds of the garbage collector, for starting quickly: what is made meanwhile stays."""


def main() -> None:
    """Run the command line; upon Ctrl-C exit with 130, as shells expect."""
    # NumPy's matrices are small here. On busy cores OpenBLAS's threads wait for each other hundreds of times as long as
    # the work takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(*GARBAGE)
    try:
        from zoo.cli import main as command

        command(prog_name="zoo")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
