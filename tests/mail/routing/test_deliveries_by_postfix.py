"""Deliveries as a real qmgr(8) makes them: its log names the same reason for each recipient."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.real.postfix import PrivatePostfix

import postconf
from tlsproxy.mail.routing import Router

SETTINGS = {
    "mydestination": "local.test",
    "local_transport": "discard:here",
    "relay_domains": "relay.test",
    "defer_transports": "relay",
    "transport_maps": "inline:{ {one.test=discard:first}, {two.test=error:5.7.1 no mail}, {three.test=retry:4.7.1 no},"
    " {four.test=nothing:}, {five.test=discard:} }",
    "virtual_alias_maps": "inline:{ {bad@one.test=x@-bad-.test}, {many@one.test={a@one.test, b@two.test}} }",
    "relocated_maps": "inline:{{gone@one.test=new@place.test}}",
    "smtpd_reject_unlisted_recipient": "no",
    "recipient_bcc_maps": "inline:{{bcc@one.test=copy@five.test}}",
}
RECIPIENTS = [
    *("a@one.test", "a@two.test", "a@three.test", "a@four.test", "a@five.test", "a@relay.test", "joe@local.test"),
    *("double-bounce@local.test", "bad@one.test", "gone@one.test", "bcc@one.test", "u%five.test@local.test"),
]
UNAVAILABLE = "mail transport unavailable"


def delivered(root: Path, settings: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Send a message to each recipient; yield each final recipient with our reason, once it is in Postfix's log."""
    with PrivatePostfix(root, SETTINGS | settings) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.ports["submission"], timeout=60) as client:
            for recipient in RECIPIENTS:
                client.sendmail("sender@else.test", [recipient], "Subject: test\r\n\r\n")
        with Router(postconf.load(postfix.conf, version="3.7.11-debian12")) as router:
            service = f"127.0.0.1:{postfix.ports['submission']}/inet"
            for recipient in RECIPIENTS:
                for delivery in router.deliveries(router.route("sender@else.test", recipient, service)):
                    reason = delivery.hop.nexthop if delivery.agent.program else UNAVAILABLE
                    text = re.escape(re.sub(r"^[45]\.[0-9]\.[0-9] ", "", reason))  # the code is elsewhere in the line
                    postfix.wait_for_line(rf" to=<{re.escape(delivery.recipient)}>,.* status=\w+ \({text}\)")
                    yield delivery.recipient, reason


@pytest.mark.postfix
def test_each_recipient_is_delivered_as_is_said(public_path: Path) -> None:
    found = dict(delivered(public_path / "p", {}))
    assert found["a@relay.test"] == "4.3.2 deferred transport"
    assert found["double-bounce@local.test"] == "undeliverable postmaster notification discarded"
    assert found["x@-bad-.test"] == "5.1.3 bad address syntax"
    assert found["a@four.test"] == UNAVAILABLE
    assert found["gone@one.test"] == "5.1.6 User has moved to new@place.test"
    assert {"copy@five.test", "u@five.test"} <= found.keys()


@pytest.mark.postfix
@pytest.mark.parametrize("content_filter", ["discard:filtered", "discard:", "discard"])
def test_content_filter_takes_each_recipient(public_path: Path, content_filter: str) -> None:
    reasons = {reason for _, reason in delivered(public_path / "p", {"content_filter": content_filter})}
    assert ("filtered" in reasons) is (content_filter == "discard:filtered")
    assert ("five.test" in reasons) is (content_filter != "discard:filtered")
