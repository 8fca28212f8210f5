"""Rewriting of addresses to user@domain (trivial-rewrite(8))."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail.fixtures import MakeView

from postconf import ConfigError
from tlsproxy.mail.routing.rewriting import Rewriter

MAIL = st.text(st.sampled_from('ab@.:,;<>()[]"\\ !%+-|\tä'), max_size=25)
DEFAULTS = {"myorigin": "origin.test", "mydomain": "domain.test"}


@pytest.mark.parametrize(
    ("address", "rewritten"),
    [
        ("joe", "joe@origin.test"),
        ("joe@example.com", "joe@example.com"),
        ("joe@host", "joe@host.domain.test"),
        ("joe@example.com.", "joe@example.com"),
        ("joe@example.com..", "joe@example.com.."),
        ("joe@.", "joe@."),
        ("joe@", "joe@"),
        ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        ("site!joe", "joe@site.domain.test"),
        ("a!b!c", "b!c@a.domain.test"),
        ("site!joe@example.com", "site!joe@example.com"),
        ("joe%site.test", "joe@site.test"),
        ("a%b%c.test", "a%b@c.test"),
        ("@relay.test:joe@example.com", "joe@example.com"),
        ("@relay.test:", '@relay.test:""'),
        ('"joe x"@example.com', '"joe x"@example.com'),
        ('""', '""'),
        ("@", '""'),
        ("", ""),
    ],
)
def test_address_gets_its_standard_form(make_view: MakeView, address: str, rewritten: str) -> None:
    view = make_view(append_dot_mydomain="yes", **DEFAULTS)
    assert Rewriter(view).external(address) == rewritten


@pytest.mark.parametrize(
    ("setting", "address", "rewritten"),
    [
        ({"swap_bangpath": "no"}, "site!joe", "site!joe@origin.test"),
        ({"allow_percent_hack": "no"}, "joe%site", "joe%site@origin.test"),
        ({"append_at_myorigin": "no"}, "joe", "joe"),
        ({"append_dot_mydomain": "no"}, "joe@host", "joe@host"),
    ],
)
def test_rewriting_can_be_turned_off(
    make_view: MakeView, setting: dict[str, str], address: str, rewritten: str
) -> None:
    assert Rewriter(make_view(**DEFAULTS | setting)).internal(address) == rewritten


def test_origin_can_be_in_a_file(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "mailname"
    path.write_text("name.test\n# the name of the machine\n")
    assert Rewriter(make_view(myorigin=str(path))).internal("joe") == "joe@name.test"


@pytest.mark.parametrize("text", [None, "", "# name\n", "two names\n"])
def test_malformed_origin_is_an_error(make_view: MakeView, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "mailname"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="myorigin: "):
        Rewriter(make_view(myorigin=str(path)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MAIL)
def test_rewriting_takes_any_text(make_view: MakeView, text: str) -> None:
    rewriter = Rewriter(make_view(**DEFAULTS))
    rewritten = rewriter.internal(text)
    assert "@" in rewritten or not rewritten
