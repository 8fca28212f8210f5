"""`--expect`: expectations are read, judged and reported."""

from __future__ import annotations

import sys
from pathlib import Path

from postconf.config import DEFAULT_DIRECTORY
from postconf.syntax.lines import decode

from ....bounded_toml import MAX_LENGTH
from ..arguments import FORMATS
from .files import ExpectationError, read_expectations
from .judging import Judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from postconf import Config

    from ...access.world import World


_MOST_BYTES = 4 * MAX_LENGTH + 1


def check_file(arguments: argparse.Namespace, load: Callable[[str, str], Config], world: World) -> int:
    """Check a file of expectations; return 1 if one does not hold, else 0.

    Raises `ExpectationError`, OSError, and the errors of loading and tracing.
    """
    from ....check.reports import Target
    from .reports import render

    targets = [Target.parse(each) for each in arguments.format or ["text"]]
    for target in targets:
        if target.format not in FORMATS:
            raise ExpectationError(f"unknown format {target.format}; formats are {', '.join(FORMATS)}")
    path = arguments.expect
    text = _read(path)
    shown = "standard input" if path == "-" else path
    expectations = read_expectations(text, shown)
    directory = arguments.directory
    if directory is None and expectations.config:
        directory = str(Path("" if path == "-" else path).parent / expectations.config)
    config = load(directory or DEFAULT_DIRECTORY, arguments.postfix_version or expectations.version)
    verdicts = list(Judge(config, world).judge(expectations))
    for target in targets:
        target.write(render(target.format, verdicts, shown))
    return int(not all(verdict.holds for verdict in verdicts))


def _read(path: str) -> str:
    """Read as much as may be; the file may be a pipe, as in `--expect <(generate)`. Raises OSError."""
    if path == "-":
        return decode(sys.stdin.buffer.read(_MOST_BYTES))
    with Path(path).open("rb") as file:
        return decode(file.read(_MOST_BYTES))
