"""Configurations for tests: main.cf and master.cf from a test's text, and nothing of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mail.fixtures import MakeConfig, MakeView

import postconf
from postconf.machine.host import FixedHost
from tlsproxy.mail.view import MailView

SETTINGS = {
    "compatibility_level": "3.6",
    "myhostname": "mail.example.com",
    "mydestination": "$myhostname, localhost",
    "inet_interfaces": "127.0.0.1",
    "mynetworks": "127.0.0.0/8",
    "alias_maps": "",
    "alias_database": "",
}


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Write main.cf (settings over those above) and master.cf, and read them as a release does."""

    def make(master: str = "", version: str = "3.7.11", **settings: str) -> postconf.Config:
        values = SETTINGS | settings
        (tmp_path / "main.cf").write_text(
            "".join(f"{name} = {value}\n" for name, value in values.items()), errors="surrogateescape"
        )
        (tmp_path / "master.cf").write_text(master, errors="surrogateescape")
        return postconf.load(tmp_path, version=version, host=FixedHost("mail"))

    return make


@pytest.fixture
def make_view(make_config: MakeConfig) -> Iterator[MakeView]:
    """Return the view of main.cf with these settings; `warn` and `opener` are MailView's."""
    views = []

    def make(warn: Callable[[str], None] | None = None, **settings: str) -> MailView:
        views.append(MailView(make_config(**settings), warn=warn))
        return views[-1]

    yield make
    for view in views:
        view.close()
