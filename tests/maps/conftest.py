from __future__ import annotations

from pathlib import Path

import pytest
from peers.real.both_postmaps import Both
from peers.real.postmap import Postmap


@pytest.fixture
def tables(tmp_path: Path) -> Postmap:
    return Postmap(tmp_path)


@pytest.fixture
def both(tables: Postmap) -> Both:
    return Both(tables)
