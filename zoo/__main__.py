"""The command `zoo`, and `python -m zoo`: quiet when interrupted, even before the first of it is read."""

import os
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130, as a shell expects."""
    # NumPy's matrices are small here. Shared among threads on busy cores, each waits for the other's turn, hundreds of
    # times as long as the work takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from zoo.cli import main as command

        command(prog_name="zoo")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
