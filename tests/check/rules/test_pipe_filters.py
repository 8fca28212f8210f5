"""Content filters of pipe(8) that return mail with sendmail(1): a loop if pickup(8) has the filter, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import run
from check.rules.test_reviewed_mistakes import BASE, MASTER

from tlsproxy.check.rules.mail.filters import FilterLoop

FILTER = "content_filter = scan:dummy\n"
BY_SENDMAIL = "/usr/bin/spamc -e /usr/sbin/sendmail -G -i -f ${sender} -- ${recipient}"
BY_SCRIPT = "/usr/local/bin/scan -f ${sender} -- ${recipient}"
RETURN = "127.0.0.1:10026 inet n - n - - smtpd -o content_filter=\n"


def places(main_cf: str, command: str, more: str = "", *, master: str = MASTER, root: Path | None = None) -> list[str]:
    """Return the places of filter loops."""
    pipe = f"scan unix - n n - 10 pipe flags=Rq user=scan null_sender= argv={command}\n"
    return [str(each.span) for each in run(BASE + main_cf + master + pipe + more, [FilterLoop()], root).findings]


@pytest.mark.parametrize("more", ["", RETURN])
def test_filter_with_sendmail_and_pickup_is_a_loop(more: str) -> None:
    assert places(FILTER, BY_SENDMAIL, more) == ["master.cf:2:1"]


def test_filter_of_all_services_is_a_loop() -> None:
    assert places(FILTER, BY_SCRIPT) == ["master.cf:2:1"]


def test_empty_filter_of_cleanup_does_not_end_the_loop() -> None:
    cleanup = MASTER.replace("0 cleanup\n", "0 cleanup -o content_filter=\n")
    assert places(FILTER, BY_SENDMAIL, master=cleanup) == ["master.cf:2:1"]


@pytest.mark.parametrize(
    "command, more, entry",
    [
        (BY_SENDMAIL, "", "1 pickup -o content_filter=\n"),
        (BY_SENDMAIL, "", "1 pickup -o content_filter=other:\n"),
        (BY_SCRIPT, RETURN, "1 pickup\n"),
        ("/usr/sbin/sendmail -C /etc/postfix-out -G -i -f ${sender} -- ${recipient}", RETURN, "1 pickup\n"),
    ],
)
def test_filter_with_a_way_back_is_fine(command: str, more: str, entry: str) -> None:
    assert places(FILTER, command, more, master=MASTER.replace("1 pickup\n", entry)) == []


@pytest.mark.parametrize("command", [BY_SENDMAIL, BY_SCRIPT])
def test_filter_of_network_mail_only_is_fine(command: str) -> None:
    network = MASTER.replace("smtp inet n - y - - smtpd\n", "smtp inet n - y - - smtpd -o content_filter=scan:dummy\n")
    assert places("", command, master=network) == []


@pytest.mark.parametrize(
    "text, is_loop", [('#!/bin/sh\nexec /usr/sbin/sendmail -G -i "$@"\n', True), ("#!/bin/sh\n", False)]
)
def test_script_with_sendmail_is_a_loop(text: str, is_loop: bool, tmp_path: Path) -> None:
    script = tmp_path / "scan"
    script.write_text(text)
    assert bool(places(FILTER, f"{script} -f ${{sender}}", RETURN, root=tmp_path)) is is_loop


def test_local_service_is_no_way_back_from_sendmail() -> None:
    pickup = MASTER.replace("1 pickup\n", "1 pickup -o content_filter=\n")
    service = "127.0.0.1:2525 inet n - n - - smtpd\n"
    assert places(FILTER, BY_SENDMAIL, service, master=pickup) == []
    assert places(FILTER, BY_SCRIPT, service, master=pickup) == ["master.cf:21:1"]
