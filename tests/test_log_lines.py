"""The page of log lines has each message of the daemon, and none that is gone."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from make_log_page import MEANINGS, PAGE, page, templates  # noqa: E402


def test_each_message_of_the_daemon_is_explained_or_postfix_s() -> None:
    meanings = tomllib.loads(MEANINGS.read_text())
    assert set(templates()) == {*meanings["ours"], *meanings["postfix"]}


def test_page_of_log_lines_is_current() -> None:
    assert PAGE.read_text() == page(tomllib.loads(MEANINGS.read_text())["ours"])
