"""Generator of docs/log-lines.md: each log line of the daemon's own, with its meaning and a remedy.

The messages come from the code. tools/log-lines.toml has the meaning of each, or marks it as one of Postfix's.
With --list it prints the messages without an entry.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("tlsproxy/daemon", "tlsproxy/session", "tlsproxy/tls", "tlsproxy/tlsmgr.py", "tlsproxy/wire")
MEANINGS = ROOT / "tools" / "log-lines.toml"
PAGE = ROOT / "docs" / "log-lines.md"
_LOGS = frozenset(("info", "warning", "error", "fatal", "FatalError"))
_ELSEWHERE = ("command_line.py",)
"""Modules whose messages go to a terminal, not to the log."""
_INTRODUCTION = """# Troubleshooting by log line

Find the meaning of a log line and its remedy. This page lists the lines that only this daemon writes, in alphabetical
order. `…` is a variable part. Most lines have the form *event: consequence; remedy*. All other lines have the text of
Postfix's tlsproxy(8): see Postfix's documentation.

"""


def templates() -> Iterator[str]:
    """Yield each message of the code, with `…` for inserted values."""
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if file.name in _ELSEWHERE:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and node.args and _logs(node.func):
                    text = template(node.args[0])
                    if text and text.strip("…:; "):
                        yield text


def _logs(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _LOGS or name in ("IdentityError", "SettingsError", "SessionRefusedError", "CipherError")


def template(node: ast.expr) -> str | None:
    """Return the text of a literal or an f-string; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def page(explained: dict[str, dict[str, str]]) -> str:
    """Return the text of the page."""
    parts = [_INTRODUCTION]
    for text, entry in sorted(explained.items(), key=lambda item: item[0].lstrip("…: ").lower()):
        parts.append(f"### `{text}`\n\n{entry['means']}\n\n**What to do:** {entry['do']}\n\n")
    return "".join(parts).rstrip("\n") + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or list messages without an entry; return the exit status."""
    meanings = tomllib.loads(MEANINGS.read_text())
    known = {*meanings["ours"], *meanings["postfix"]}
    missing = sorted(set(templates()) - known)
    if arguments == ["--list"] or missing:
        print(*missing, sep="\n")
        return 1 if missing else 0
    PAGE.write_text(page(meanings["ours"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
