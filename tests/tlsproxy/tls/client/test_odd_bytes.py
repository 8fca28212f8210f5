"""Bytes that are no UTF-8 in requests of smtp(8): each is answered as the C tlsproxy(8) answers it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from peers.cases.client_cases import Chains
from peers.daemon.proxy import Proxy, running, write_config
from peers.fakes.smtp_client import Asked, Session, SmtpClient, server_context
from peers.real.postfix import PrivatePostfix, public_directory

pytestmark = [
    pytest.mark.postfix,
    pytest.mark.xdist_group("odd bytes"),
    # Of the test server, which is asked for names that are no ASCII.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
_ODD = "\udcff"
_MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
tlsproxy  unix  -  -  n  -  0  tlsproxy
"""
_SETTINGS = {"smtp_tls_security_level": "may", "smtpd_tls_security_level": "none"}
CASES = {
    **{
        f"start-{name}": Asked(start={name: value})
        for name, value in {
            "cipher_exclusions": f"x{_ODD}",
            "cipher_grade": _ODD,
            "protocols": _ODD,
            "namaddr": f"mx{_ODD}[192.0.2.25]:25",
            "helo": _ODD,
            "serverid": f"smtp&{_ODD}&",
            "sni": f"mx{_ODD}.example.test",
            "host": f"mx{_ODD}.example.test",
            "nexthop": _ODD,
        }.items()
    },
    **{
        f"init-{name}": Asked(init={name: value})
        for name, value in {
            "cert_file": f"/nonexistent{_ODD}",
            "CAfile": f"/nonexistent{_ODD}",
            "CApath": f"/nonexistent{_ODD}",
            "mdalg": f"md5{_ODD}",
            "log_level": f"1{_ODD}",
            "log_param": _ODD,
            "cache_type": f"smtp{_ODD}",
        }.items()
    },
    "param": Asked(params={"tls_eecdh_auto_curves": _ODD}),
    "match": Asked(level="secure", match=(f"mx{_ODD}.example.test",)),
    "sni-secure": Asked(level="secure", match=("hostname",), start={"sni": f"{_ODD}.example.test"}),
    "domain": Asked(level="dane", records=[(3, 1, 1, b"x" * 32)], domain=f"mx{_ODD}.example.test"),
}


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[Proxy, SmtpClient, SmtpClient]]:
    """Our daemon, a client of it, and one of the C program."""
    with public_directory() as root:
        write_config(root / "ours", _SETTINGS, certificate=False)
        postfix = PrivatePostfix(root / "postfix", _SETTINGS, _MASTER_CF)
        with running(root / "ours", "--workers", "1") as proxy, postfix:
            there = SmtpClient(postfix.queue / "private" / "tlsproxy", postfix.conf)
            yield proxy, SmtpClient(proxy.socket, root / "ours"), there


@pytest.mark.parametrize("name", CASES)
def test_request_with_odd_bytes_is_answered_as_by_c(
    name: str, clients: tuple[Proxy, SmtpClient, SmtpClient], chains: Chains
) -> None:
    proxy, here, there = clients
    answers = [_outline(each.session(server_context(chains.file("direct")), CASES[name])) for each in (here, there)]
    assert answers[0] == answers[1]
    assert "Traceback" not in proxy.log()


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("chains"))


def _outline(session: Session) -> object:
    context = session.context
    return replace(session, context=None), context and (context["peer_status"], context["cipher_protocol"])
