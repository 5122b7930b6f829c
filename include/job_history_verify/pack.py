"""`python -m job_history_verify.pack FOLDER`: write this package as programs of one file each, `.pyz`.

The same sources give the same bytes, so that anyone can build a program again and compare it.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PROGRAMS = {"job-history-verify": "cli", "job-history-watch": "watch"}
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, program: str = "job-history-verify") -> Path:
    """Write one of PROGRAMS into a folder; return its path."""
    package = Path(__file__).parent
    main = f"import sys\n\nfrom {package.name}.{PROGRAMS[program]} import main\n\nsys.exit(main())\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{program}.pyz"
    with path.open("wb") as file:
        file.write(_SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "__main__.py", main.encode())
            for source in sorted(package.glob("*.py")):
                _add(archive, f"{package.name}/{source.name}", source.read_bytes())
    path.chmod(0o755)
    return path


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


if __name__ == "__main__":
    for each in PROGRAMS:
        sys.stdout.write(f"{pack(Path(sys.argv[1]), each)}\n")
