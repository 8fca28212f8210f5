"""Inputs of a run: directories, single files, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from typing import BinaryIO

from postconf.files.regular import open_regular
from postconf.syntax.lines import SPACE, decode
from postconf.syntax.mastercf import TYPES

from ...errors import TlsproxyError
from ..facts.filesystem import FileSystem
from ..text.sources import MOST_CHARACTERS, MainFile, MasterFile

DEFAULT_DIRECTORY = "/etc/postfix"
_LEAST_FIELDS = 8
_PIECE = 1 << 16
_MOST_BYTES = 4 * MOST_CHARACTERS + 1


class InputError(TlsproxyError):
    """A file that was named and can't be read; the text has its name and the reason."""


@dataclass(frozen=True, slots=True)
class Input:
    """One configuration: the files that belong together."""

    directory: str
    """Value of config_directory; empty for standard input."""
    main: MainFile | None
    master: MasterFile | None

    def forget(self) -> None:
        """Drop the contents of the files, as `Context.forget` does; results and their texts are not concerned."""
        for source in (self.main, self.master):
            if source is not None:
                vars(source).clear()


def read_inputs(directories: Iterable[str], files: Iterable[str], root: str) -> Iterator[Input]:
    """Yield all that is named, each when it is asked for; raise `InputError`.

    main.cf and master.cf stand for the directory that they are in, since one can't be judged without the other.
    """
    seen: set[str] = set()
    if not os.path.isdir(root or "/"):  # noqa: PTH112  names may have any bytes
        raise InputError(f"{root}: there is no such directory for --root")

    def new(directory: str) -> Iterator[Input]:
        if os.path.normpath(directory) not in seen:
            seen.add(os.path.normpath(directory))
            yield _directory(directory, root)

    for directory in directories:
        yield from new(directory)
    for path in files:
        if os.path.isdir(path):  # noqa: PTH112  names may have any bytes
            yield from new(path)
        elif path.rpartition("/")[2] in ("main.cf", "master.cf"):
            directory = path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
            located = f"{_located(directory, root).rstrip('/')}/{path.rpartition('/')[2]}" if "/" in path else path
            _read(located, FileSystem(root).locate_outside(located))  # names it, if it is not there
            yield from new(directory)
        else:
            yield _single(path)


def directories_of(directories: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """Return the configuration directories that a command line names, by their absolute names."""
    named = [*directories, *(each if os.path.isdir(each) else each.rpartition("/")[0] for each in files)]  # noqa: PTH112
    return {os.path.abspath(each): each for each in named if each}  # noqa: PTH100  names may have any bytes


def _located(directory: str, root: str) -> str:
    """Return the name on this machine of a directory: one of the image, or with the path of the image before it.

    Raises `InputError` for an absolute name that is neither, so that the machine is not checked in place of the image.
    """
    in_image = root.rstrip("/") + directory
    if not directory.startswith("/") or in_image == directory:
        return directory
    if not _is_absent(in_image):
        return in_image
    absolute, image = os.path.abspath(directory), os.path.abspath(root)  # noqa: PTH100
    if image == "/" or f"{absolute}/".startswith(f"{image}/"):
        return directory
    raise InputError(f"{in_image}: No such file or directory; {directory} of this machine is not in the image {root}")


def _directory(directory: str, root: str) -> Input:
    directory = _located(directory, root)
    prefix = "" if directory == "." else f"{directory.rstrip('/')}/"
    files = FileSystem(root)
    texts = {}
    for name in ("main.cf", "master.cf"):
        real = files.locate_outside(prefix + name)
        if not _is_absent(real):
            texts[name] = _read(prefix + name, real)
    if not texts:
        if _is_absent(directory):
            raise InputError(f"{directory}: No such file or directory")
        raise InputError(f"{directory}: there is neither main.cf nor master.cf")
    main = MainFile(f"{prefix}main.cf", texts["main.cf"]) if "main.cf" in texts else None
    master = MasterFile(f"{prefix}master.cf", texts["master.cf"]) if "master.cf" in texts else None
    return Input(_inside(directory, root), main, master)


def _inside(directory: str, root: str) -> str:
    """Return the directory as it is called in an image."""
    absolute, root = os.path.abspath(directory), os.path.abspath(root)  # noqa: PTH100
    if root == "/" or not f"{absolute}/".startswith(f"{root}/"):
        return absolute
    return absolute[len(root) :] or "/"


def _single(path: str) -> Input:
    if path == "-":
        text, shown = _bounded(sys.stdin.buffer), "<stdin>"
    else:
        text, shown = _read(path, pipe=True), path
    directory = "" if path == "-" else _destination(path)
    if is_master(text):
        return Input(directory, None, MasterFile(shown, text))
    return Input(directory, MainFile(shown, text), None)


def _destination(path: str) -> str:
    """Return the future directory of a file with another name: that of main.cf or master.cf, else Postfix's default."""
    directory = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    is_apart = all(_is_absent(f"{directory}/{name}") for name in ("main.cf", "master.cf"))
    return DEFAULT_DIRECTORY if is_apart else directory


def is_master(text: str) -> bool:
    """Return True if a text looks like master.cf, whose entries have a service type as their second word."""
    for line in text.split("\n"):
        if line[:1] and line[0] not in SPACE and line[0] != "#":
            words = line.split()
            return len(words) >= _LEAST_FIELDS and words[1] in TYPES and "=" not in words[:2]
    return False


def _is_absent(path: str) -> bool:
    """Return True if a name is absent; dangling links and names that this user can't see are present."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False


def _read(path: str, real: str = "", *, pipe: bool = False) -> str:
    """Read a file, in an image by its `real` name; `pipe`: True if it may be one, as in `tlsproxy-check <(make)`."""
    try:
        with open(real or path, "rb", buffering=0, opener=None if pipe else open_regular) as file:
            return _bounded(file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _bounded(file: FileIO | BinaryIO) -> str:
    """Return the text of a file, as much as is looked at; small reads, since a buffer for all of it is slow to make."""
    pieces = []
    room = _MOST_BYTES
    while room > 0 and (piece := file.read(min(room, _PIECE))):
        pieces.append(piece)
        room -= len(piece)
    return decode(b"".join(pieces))
