"""Generator of the pictures in docs/images: terminal output of commands, as SVG with selectable text."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
_MAIL = "--client 203.0.113.7 --sender a@elsewhere.org --recipient x@other.org"
PICTURES = {
    "check": "tlsproxy-check --no-fs -c samples/check/postfix",
    "trace": f"tlsproxy-trace -c samples/trace/postfix {_MAIL}",
}
_WIDTH = 110
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Font references that Rich inserts; the reader's fonts suffice."""


def main() -> None:
    """Run the commands of this environment, and write the pictures."""
    for name, command in PICTURES.items():
        with Path(os.devnull).open("w") as nowhere:
            console = Console(record=True, width=_WIDTH, file=nowhere, force_terminal=True)
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text.from_ansi(on_terminal(command)))
            picture = console.export_svg(title=command.split()[0], unique_id=name)
        (ROOT / "docs" / "images" / f"{name}.svg").write_text(_FONTS.sub("", picture))


def on_terminal(command: str) -> str:
    """Return the output of a command on a terminal."""
    program, *arguments = shlex.split(command)
    ours, theirs = pty.openpty()
    run = subprocess.Popen([Path(sys.executable).parent / program, *arguments], cwd=ROOT, stdout=theirs)  # noqa: S603
    os.close(theirs)
    printed = b""
    try:
        while data := os.read(ours, 4096):
            printed += data
    except OSError:  # the other end is closed
        pass
    run.wait()
    return printed.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    main()
