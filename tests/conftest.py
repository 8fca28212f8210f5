"""Set-up that all tests share: the peers that are here, and a count of the tests that their absence skips."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from peers.real.postfix import public_directory, table_types
from peers.real.two_releases import NEEDED

# The same examples for everybody, however long they take. For new ones: pytest --hypothesis-profile=default
hypothesis.settings.load_profile("ci")

POSTFIX_DAEMONS = Path("/usr/lib/postfix/sbin")
NEEDS_POSTFIX = "needs a real Postfix"


def lacking() -> str:
    """Return the peers that tests with the mark `postfix` need and this machine lacks; "" if it lacks nothing."""
    if os.geteuid() != 0 or shutil.which("postconf") is None or not (POSTFIX_DAEMONS / "tlsproxy").exists():
        return "root and Debian's Postfix packages"
    return ", ".join(f"postfix-{kind}" for kind in ("cdb", "lmdb", "pcre", "sqlite") if kind not in table_types())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lack = lacking()
    for item in items:
        if lack and item.get_closest_marker("postfix"):
            item.add_marker(pytest.mark.skip(reason=f"{NEEDS_POSTFIX} ({lack}: tests/install-peers has it)"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Reports, unlike collected items, come from all processes of a distributed run.
    skipped = terminalreporter.stats.get("skipped", [])
    upgrades = sum(NEEDED in str(report.longrepr) for report in skipped)
    if upgrades:
        terminalreporter.write_line(f"{upgrades} tests need Debian 13's Postfix and were skipped (make upgrade-peers)")
    count = sum(NEEDS_POSTFIX in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(
            f"{count} tests need a real Postfix and were skipped (make test installs it, as root)"
        )


@pytest.fixture
def public_path() -> Iterator[Path]:
    """Like tmp_path, for tests in which other users have to find something."""
    with public_directory() as path:
        yield path


@pytest.fixture(scope="module")
def public_root() -> Iterator[Path]:
    """The same for all tests of a module."""
    with public_directory() as path:
        yield path


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real configurations with Postfix's recorded answers; not part of this repository (see CONTRIBUTING.md)."""
    directory = os.environ.get("TLSPROXY_CORPUS")
    if not directory or not Path(directory).is_dir():
        pytest.skip("TLSPROXY_CORPUS does not name a corpus of configurations")
    return Path(directory)
