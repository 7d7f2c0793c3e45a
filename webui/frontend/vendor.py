"""Copy what the pages need of the locked npm packages, with their licences, into webui/static/vendor. Needs npm."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
VENDOR = HERE.parent / "static" / "vendor"

PACKAGES = {
    "uplot": ["LICENSE", "dist/uPlot.iife.min.js", "dist/uPlot.min.css"],
}
"""By package, its files that the pages carry. They come without their folders."""


def main() -> None:
    """Install the packages as the lock file has them, in a folder that is thrown away, and copy the files."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        for package, files in PACKAGES.items():
            target = VENDOR / package
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            for file in files:
                shutil.copyfile(Path(folder) / "node_modules" / package / file, target / Path(file).name)


if __name__ == "__main__":
    main()
