"""The command `zoo`, and `python -m zoo`. Ctrl-C ends it without a traceback, even while it is being imported."""

import os
import sys


def main() -> None:
    """Run the command line; upon Ctrl-C exit with 130, as shells expect."""
    # NumPy's matrices are small here. On busy cores OpenBLAS's threads wait for each other hundreds of times as long as
    # the work takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from zoo.cli import main as command

        command(prog_name="zoo")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
