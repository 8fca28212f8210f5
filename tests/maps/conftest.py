from __future__ import annotations

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
