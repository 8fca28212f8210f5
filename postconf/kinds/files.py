"""Files, directories, programs and shell commands, without a check that they exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kind import Kind
from .reading import Reading, Word, whole, words_at

if TYPE_CHECKING:
    from collections.abc import Callable


def read_full_path(kind: Kind, text: str) -> Reading:
    """Read one full path, or a keyword for no path."""
    reading = Reading(kind)
    word = whole(text, "path")
    if word.text:
        reading.add(word)
        if word.text.lower() not in kind.words:
            _check_full(reading, word)
    return reading


def read_full_paths(kind: Kind, text: str) -> Reading:
    """Read full paths."""
    reading = Reading(kind)
    for word in words_at(text):
        _check_full(reading, reading.add(word, "path"))
    return reading


def read_colon_separated(kind: Kind, text: str) -> Reading:
    """Read full paths separated by colons."""
    reading = Reading(kind)
    for word in words_at(text, ":"):
        _check_full(reading, reading.add(word, "path"))
    return reading


def _check_full(reading: Reading, word: Word) -> None:
    if not word.text.startswith("/"):
        reading.problem(word, f"{word.text} is looked for in the queue directory", "write the full path")


def read_any_path(kind: Kind, text: str) -> Reading:
    """Read a path that may be relative to a directory of Postfix."""
    reading = Reading(kind)
    if text.strip():
        reading.add(whole(text, "path"))
    return reading


def read_random_source(kind: Kind, text: str) -> Reading:
    """Read the source of randomness: `dev:path`, `egd:path` or a file."""
    reading = Reading(kind)
    word = whole(text, "path")
    if word.text:
        reading.add(word)
        path = word.text.removeprefix("dev:").removeprefix("egd:")
        if not path.startswith("/"):
            reading.problem(word, f'"{word.text}" is no source of randomness', "write dev:/dev/urandom")
    return reading


def read_command(kind: Kind, text: str) -> Reading:
    """Read a shell command."""
    reading = Reading(kind)
    if text.strip():
        reading.add(whole(text, "command"))
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "file": read_full_path,
    "directory": read_full_path,
    "program": read_full_path,
    "files": read_full_paths,
    "directories": read_full_paths,
    "colon-directories": read_colon_separated,
    "path": read_any_path,
    "program-name": read_any_path,
    "random-source": read_random_source,
    "command": read_command,
}
