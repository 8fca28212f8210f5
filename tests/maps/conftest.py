from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.both_postmaps import Both
from peers.postmap import Postmap


@pytest.fixture
def tables(tmp_path: Path) -> Postmap:
    return Postmap(tmp_path)


@pytest.fixture
def both(tables: Postmap) -> Both:
    return Both(tables)


@pytest.fixture(scope="session")
def public_directory() -> Iterator[Path]:
    """A directory for everybody; pytest's own are closed to others whenever another session of it begins."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def public_place(public_directory: Path) -> Path:
    """A directory for everybody that belongs to one test."""
    place = Path(tempfile.mkdtemp(dir=public_directory))
    place.chmod(0o755)
    return place
