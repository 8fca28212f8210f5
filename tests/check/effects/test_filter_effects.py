"""Effects in real Postfix of a filter of pipe(8) that returns mail with sendmail(1)."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest
from check.effects.test_server_effects import rules_of
from peers.real.postfix import MASTER_CF, PrivatePostfix
from peers.tools.children import PATIENCE

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]

PIPE = (
    "scan unix - n n - 10 pipe flags=Rq user=nobody null_sender= "
    "argv=/usr/sbin/sendmail -G -i -f ${sender} -- ${recipient}\n"
)


@pytest.mark.parametrize("options, end", [("", "too many hops"), (" -o content_filter=", "to=<c@d.test>, relay=none")])
def test_filter_with_sendmail_and_pickup_goes_round(options: str, end: str, public_path: Path) -> None:
    master_cf = MASTER_CF.replace("60 1  pickup\n", f"60 1  pickup{options}\n")
    conf = public_path / "postfix/conf"
    settings = {"content_filter": "scan:dummy", "hopcount_limit": "3", "default_transport": "discard"}
    # postdrop(1) of an account without privileges reads the list in /etc/postfix.
    settings["alternate_config_directories"] = str(conf)
    instance = PrivatePostfix(public_path / "postfix", settings, master_cf + PIPE.replace("{", "{{").replace("}", "}}"))
    mount = 'mount --bind "$0" /etc/postfix && exec "$@"'
    instance.start(lambda *command: ["unshare", "--mount", "sh", "-c", mount, str(conf), *map(str, command)])
    try:
        with smtplib.SMTP("127.0.0.1", instance.ports["submission"], timeout=PATIENCE) as client:
            client.sendmail("a@b.test", "c@d.test", "Subject: x\n\nx\n")
        instance.wait_for_line("to=<c@d.test>, relay=scan, .*status=sent")
        instance.wait_for_log(end)
    finally:
        instance.stop()
    is_loop = not options
    assert ("F002" in rules_of(f"content_filter = scan:dummy\n--- master.cf\n{master_cf}{PIPE}")) is is_loop
