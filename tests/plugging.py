"""Write plugins into a zoo."""

from __future__ import annotations

import textwrap
from pathlib import Path


def write(folder: Path, name: str, text: str) -> None:
    """Write a plugin's file into a zoo's folder, without the indentation that all its lines share."""
    (folder / "plugins" / f"{name}.py").write_text(textwrap.dedent(text))
