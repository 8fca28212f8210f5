"""Programs that use the packages are checked by their types, and mistakes in them are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "programs" / "typed.py"


def test_program_with_the_public_api_passes_mypy(tmp_path: Path) -> None:
    # --strict reports ignores that ignore nothing: the mistakes in the program must be seen.
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        "",
        "--cache-dir",
        tmp_path,
        PROGRAM,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
