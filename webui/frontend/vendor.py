"""Copy the files that we need from the locked npm packages, with their licences, into our folders. Needs npm."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

PACKAGES = {
    "uplot": {
        "LICENSE": "webui/static/vendor/uPlot.LICENSE",
        "dist/uPlot.iife.min.js": "webui/static/vendor/uPlot.iife.min.js",
        "dist/uPlot.min.css": "webui/static/vendor/uPlot.min.css",
    },
    "perfect-freehand": {
        "LICENSE": "webui/static/vendor/perfect-freehand.LICENSE",
        "dist/esm/index.mjs": "webui/static/vendor/perfect-freehand.js",
    },
    "rapidoc": {
        "LICENSE.txt": "webui/static/rapidoc/LICENSE.txt",
        "dist/rapidoc-min.js": "webui/static/rapidoc/rapidoc-min.js",
        "dist/rapidoc-min.js.LICENSE.txt": "webui/static/rapidoc/rapidoc-min.js.LICENSE.txt",
    },
    "axe-core": {
        "LICENSE": "tests/web/vendor/axe.LICENSE",
        "axe.min.js": "tests/web/vendor/axe.min.js",
    },
}
"""For each package, its files and where they go: webui/static for the pages, tests for the tests alone."""


def main() -> None:
    """Install the locked packages in a temporary folder, and copy the files."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            (Path(folder) / name).write_bytes((HERE / name).read_bytes())
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        for package, files in PACKAGES.items():
            for source, target in files.items():
                content = (Path(folder) / "node_modules" / package / source).read_bytes()
                if source.endswith("js"):  # the source map is not copied
                    content = re.sub(rb"^//# sourceMappingURL=.*\n?", b"", content, flags=re.MULTILINE)
                (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / target).write_bytes(content)


if __name__ == "__main__":
    main()
