"""OpenSSL's own configuration takes effect, or turns TLS off, as in Postfix (tls_config_file, tls_config_name)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from peers.daemon.proxy import StartDaemon, client_context
from peers.daemon.side_by_side import POSTFIX_LINE, Client, Log, Side, see
from peers.real.postfix import PrivatePostfix
from peers.tools.certificates import Certificates

SECTIONS = """\
[first]
ssl_conf = first_ssl
[first_ssl]
system_default = first_defaults
[first_defaults]
SignatureAlgorithms = RSA-PSS+SHA512:ECDSA+SHA512
MinProtocol = TLSv1.3
[second]
ssl_conf = second_ssl
[second_ssl]
system_default = second_defaults
[second_defaults]
SignatureAlgorithms = RSA-PSS+SHA384:ECDSA+SHA384
"""
FILE = f"openssl_conf = first\npostfix = second\npost-fix = first\nby-name = $postfix\n{SECTIONS}"
_ERROR = "configuration file routines::"
CASES: dict[str, tuple[str, str, str]] = {
    # text of the file, tls_config_name, and the digest that a server signs with, or the reason why there is no TLS
    "plain": (FILE, "", "SHA512"),
    "key": (FILE, "postfix", "SHA384"),
    "key-with-dash": (FILE, "post-fix", "SHA512"),
    "key-by-variable": (FILE, "by-name", "SHA384"),
    "section-is-no-key": (FILE, "second", "SHA256"),
    "no-such-key": (FILE, "missing", "SHA256"),
    "key-set-twice": (f"postfix = first\n{SECTIONS}[default]\npostfix = second\n", "postfix", "SHA384"),
    "key-of-another-section": (f"[other]\npostfix = second\n{SECTIONS}", "postfix", "SHA256"),
    "key-with-section": (f"{SECTIONS}default::postfix = second\n", "postfix", "SHA384"),
    "included": (".include {included}\n", "postfix", "SHA384"),
    "include-that-is-missing": (f".include /nonexistent/file\nopenssl_conf = second\n{SECTIONS}", "", "SHA384"),
    "continued-at-its-end": (f"openssl_conf = second\n{SECTIONS}x = 1 \\", "", "SHA384"),
    "comments": (f"# [a comment\n\nopenssl_conf = second # [another\n{SECTIONS}", "", "SHA384"),
    "command-that-is-unknown": (f"openssl_conf = second\n{SECTIONS}Bogus = 1\n", "", "SHA384"),
    "empty": ("", "", "SHA256"),
    "section-that-is-missing": ("openssl_conf = nowhere\n", "", _ERROR + "openssl conf references missing section"),
    "named-section-missing": ("postfix = nowhere\n", "postfix", _ERROR + "openssl conf references missing section"),
    "ssl-section-missing": (
        "openssl_conf = first\n[first]\nssl_conf = nowhere\n",
        "",
        _ERROR + "ssl section not found",
    ),
    "module-that-is-unknown": ("openssl_conf = first\n[first]\nnosuch = 1\n", "", _ERROR + "unknown module name"),
    "no-bracket": (f"openssl_conf = first\n[broken\n{SECTIONS}", "", "missing close square bracket"),
    "no-equal-sign": (f"openssl_conf = first\njust words\n{SECTIONS}", "postfix", "missing equal sign"),
    "variable-that-is-missing": (f"openssl_conf = $first\n{SECTIONS}", "", "OpenSSL can't read it"),
    "binary": (f"openssl_conf = second\n{SECTIONS}\n\xff\xfe = \x01\n", "", "missing equal sign"),
}


def write(directory: Path, name: str) -> dict[str, str]:
    """Write the file of a case; return the settings."""
    included = directory / "part.cnf"
    included.write_text(f"postfix = second\n{SECTIONS}")
    file = directory / f"{name}.cnf"
    text, key, _ = CASES[name]
    file.write_text(text.replace("{included}", str(included)), encoding="latin-1")
    return {"tls_config_file": str(file), "tls_config_name": key}


@pytest.mark.parametrize("name", CASES)
def test_config_file_takes_effect_or_turns_tls_off(tmp_path: Path, start_daemon: StartDaemon, name: str) -> None:
    certificates = Certificates(tmp_path / "pki")
    chain = {"smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem", "smtp_tls_security_level": "may"}
    expected = CASES[name][2]
    daemon = start_daemon(chain | write(tmp_path, name))
    if not expected.startswith("SHA"):
        local, status = daemon.request()
        local.close()
        assert status == 0
        log = daemon.log()
        settings = CASES[name][1] or "global"
        assert f"warning: error loading the '{settings}' settings from the {tmp_path}/{name}.cnf" in log
        assert expected in log
        return
    local, remote = daemon.tls_session()
    with local, remote:
        log = daemon.wait_for_log("TLS connection established")
    assert f"server-digest {expected}" in log
    # Postfix's own protocol list is in force with any file.
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    local, remote = daemon.tls_session(context)
    with local, remote:
        assert remote.version() == "TLSv1.2"


@pytest.mark.parametrize(
    "text",
    [
        FILE,
        "openssl_conf = own\n[own]\n",
        "openssl_conf = own\n[own]\nssl_conf = own_ssl\n[own_ssl]\nserver = x\n[x]\nMinProtocol = TLSv1.2\n",
        f"openssl_conf = first\n{SECTIONS}NumTickets = 3\n",
    ],
)
def test_config_file_leaves_one_ticket_for_each_handshake(tmp_path: Path, start_daemon: StartDaemon, text: str) -> None:
    (tmp_path / "file.cnf").write_text(text)
    daemon = start_daemon({"tls_config_file": str(tmp_path / "file.cnf"), "smtpd_tls_loglevel": "cache"})
    local, remote = daemon.tls_session()
    with local, remote:
        local.sendall(b"220")
        assert remote.recv(3) == b"220"
    assert daemon.wait_for_log("DISCONNECT").count("Issuing session ticket") == 1


@pytest.mark.postfix
def test_config_file_takes_effect_as_in_the_c_program(public_path: Path) -> None:
    certificates = Certificates(public_path / "pki")
    master_cf = "postlog unix-dgram n - n - 1 postlogd\ntlsmgr unix - - n 1000? 1 tlsmgr\n"
    for name in CASES:
        master_cf += f"{name} unix - - n - 0 tlsproxy\n"
        master_cf += "".join(f"  -o {key}={value}\n" for key, value in write(public_path, name).items())
    settings = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem",
    }
    found = {}
    with PrivatePostfix(public_path / "postfix", settings, master_cf) as postfix:
        side = Side("tlsproxy(8)", postfix.queue / "private", Log(postfix.log_file, POSTFIX_LINE))
        for name in CASES:
            if side.status(name, "[192.0.2.7]:1"):
                found[name] = see(side, name, "[192.0.2.7]:2", Client()).context["srvr_signature_digest"]
    assert found == {name: digest for name, (_, _, digest) in CASES.items() if digest.startswith("SHA")}
