"""Walls of the house that no import contract can hold: the private binding, parsers without I/O, names and errors."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import maps
import postconf
import tlsproxy
from maps import MapsError
from postconf import PostconfError
from tlsproxy import TlsproxyError

ROOT = Path(__file__).resolve().parents[1]
BINDING = "tlsproxy/tls/openssl"
PURE = ("postconf/syntax", "postconf/kinds", "postconf/values.py", "postconf/spelling.py", "tlsproxy/wire")
"""Parsers and the wire codec: they get text or bytes."""
IO_MODULES = {"os", "io", "socket", "select", "subprocess", "pathlib", "shutil", "tempfile", "ssl", "asyncio", "time"}
IO_CALLS = {"open", "print", "input"}


def modules(*places: str) -> list[Path]:
    found = [path for place in places for path in sorted((ROOT / place).rglob("*.py"))]
    assert all((ROOT / place).exists() for place in places), places
    return found + [ROOT / place for place in places if place.endswith(".py")]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_one_package_imports_the_private_binding() -> None:
    touching = {
        path.relative_to(ROOT).as_posix().rpartition("/")[0]
        for path in modules("postconf", "maps", "tlsproxy")
        if any(name.startswith("OpenSSL._util") for name in imported(ast.parse(path.read_text())))
    }
    assert touching == {BINDING}


def test_pyopenssl_objects_are_opened_in_one_package() -> None:
    for path in modules("postconf", "maps", "tlsproxy"):
        if path.relative_to(ROOT).as_posix().startswith(BINDING):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("_context", "_x509", "_pkey", "_ssl_conn"):
                of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
                assert of_self, f"{path}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", modules(*PURE), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_parsers_and_the_codec_do_no_io(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & IO_CALLS
    assert not {name.partition(".")[0] for name in imported(tree)} & IO_MODULES


@pytest.mark.parametrize("package, base", [(postconf, PostconfError), (maps, MapsError), (tlsproxy, TlsproxyError)])
def test_public_errors_of_a_floor_have_its_base(package: ModuleType, base: type[Exception]) -> None:
    names = [each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    found = {each for name in names for each in vars(importlib.import_module(name)).values() if isinstance(each, type)}
    errors = {each for each in found if issubclass(each, BaseException) and each.__module__ in names}
    assert base in errors
    assert {each for each in errors if not each.__name__.startswith("_") and not issubclass(each, base)} == set()
    assert {each for each in errors if not each.__name__.endswith("Error")} == set()


def test_public_class_names_are_used_once() -> None:
    places: dict[str, list[str]] = {}
    for path in modules("postconf", "maps", "tlsproxy"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
