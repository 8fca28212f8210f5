"""The private instance itself: it starts, answers and leaves nothing behind."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest
from peers.real.postfix import PrivatePostfix


@pytest.mark.postfix
def test_private_instance_answers_and_ends(public_path: Path) -> None:
    with PrivatePostfix(public_path / "postfix") as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.ports["sink"], timeout=20) as client:
            assert client.ehlo("client.private.test")[0] == 250
        postfix.wait_for_log("sink/smtpd")  # postlogd(8) may still be on its way up
        assert postfix.is_running()
    assert not postfix.is_running()
