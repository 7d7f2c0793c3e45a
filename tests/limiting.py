"""The command `zoo`, or other Python, as one for whom permissions hold, even if the tests run as root, who may all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_LIMITED = """
import ctypes, os, sys
if os.geteuid() == 0:
    library = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH; taken from all that this process executes
        if library.prctl(24, capability, 0, 0, 0):
            sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def run_limited(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What the command answers when it may not read what its user may not."""
    return python_limited("-m", "zoo", *words, cwd=cwd)


def python_limited(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same for any words to Python."""
    command = [sys.executable, "-c", _LIMITED, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
