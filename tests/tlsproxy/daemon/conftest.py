"""A real Postfix whose tlsproxy service is our daemon: stopped after the tests in any case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from peers.daemon.under_master import StartPostfix, with_daemon
from peers.real.postfix import PrivatePostfix


@pytest.fixture(scope="module")
def real_postfix(public_root: Path) -> Iterator[PrivatePostfix]:
    """An instance with the settings of `with_daemon`, which the tests of a module share."""
    with with_daemon(public_root) as postfix:
        yield postfix


@pytest.fixture
def start_postfix(public_path: Path) -> Iterator[StartPostfix]:
    """Start an instance for one test: settings, and other parameters of `with_daemon`."""
    with ExitStack() as stack:

        def start(settings: Mapping[str, str] | None = None, **options: str | Path) -> PrivatePostfix:
            return stack.enter_context(with_daemon(public_path, settings, **options))  # type: ignore[arg-type]  # as given

        yield start
