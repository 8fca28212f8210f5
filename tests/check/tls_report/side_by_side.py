"""Reports and scans of the same configurations: services of one private Postfix, one for each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.fakes.tls_scan import Scan, scan, smtp_connector
from peers.real.postfix import PrivatePostfix, free_ports
from peers.tools.certificates import Certificates, Identity, name

from postconf.catalogue import release
from tlsproxy.check.command.inputs import read_inputs
from tlsproxy.check.context import Context, Options
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.tls_report.command import offers
from tlsproxy.check.tls_report.offers.offer import Offer
from tlsproxy.check.tls_report.openssl.library import Library, Program

_MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
anvil     unix  -  -  n  -  1  anvil
postlog   unix-dgram n - n  -  1  postlogd
rewrite   unix  -  -  n  -  -  trivial-rewrite
cleanup   unix  n  -  n  -  0  cleanup
"""


def make_certificates(directory: Path) -> Certificates:
    """Make keys and certificates of all kinds, and Diffie-Hellman parameters."""
    made = Certificates(directory)
    two = [made.servers[each] for each in ("rsa2048", "ec256")]
    three = [*two, made.servers["ed25519"]]
    for kind, identities in (("two", two), ("three", three)):
        made.write(f"{kind}.pem", b"".join(each.key_pem + each.chain_pem for each in identities))
    for kind in ("rsa3072", "ec521"):
        identity = Identity(name("mail.private.test"), made.issuer, kind=kind, hosts=["mail.private.test"])
        made.write(f"{kind}.pem", identity.key_pem + identity.chain_pem)
    made.write(
        "pss.pem",
        _openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa-pss",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-nodes",
            "-subj",
            "/CN=pss",
            "-keyout",
            "-",
        ),
    )
    other = Identity(name("other.test"), made.issuer, kind="ec256", hosts=["other.test"])
    made.write("other.pem", other.key_pem + other.chain_pem)
    made.write("names", f"other.test {directory}/other.pem\n.sub.test {directory}/rsa3072.pem\n".encode())
    for bits in (512, 1024):
        made.write(f"dh{bits}.pem", _openssl("dhparam", str(bits)))
    return made


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def compared(
    root: Path, configurations: Sequence[Mapping[str, str]]
) -> Iterator[tuple[Mapping[str, str], Offer, Scan]]:
    """Yield each configuration with its report, for this machine's OpenSSL, and the result of a scan."""
    pki = make_certificates(root / "pki").directory
    ports = free_ports(len(configurations))
    master_cf = _MASTER_CF
    for port, settings in zip(ports, configurations, strict=True):
        master_cf += f"127.0.0.1:{port} inet n - n - 1 smtpd\n"
        for parameter, value in settings.items():
            master_cf += f"  -o {{{{ {parameter} = {value.replace('{pki}', str(pki))} }}}}\n"
    postfix = PrivatePostfix(root / "postfix", {"max_use": "100000"}, master_cf)
    said = {each.service: each for each in report(postfix.conf)}
    with postfix:
        for port, settings in zip(ports, configurations, strict=True):
            wrapped = settings.get("smtpd_tls_wrappermode") == "yes"
            yield settings, said[f"127.0.0.1:{port}/inet"], scan(smtp_connector(port, wrapped=wrapped))


def report(directory: Path, library: Library | None = None, version: str = "3.7") -> list[Offer]:
    """Return the offers of a configuration of a release, by default for this machine's OpenSSL."""
    files = next(read_inputs([str(directory)], [], "/"))
    context = Context(files.main, files.master, release(version), FileSystem(), Options(directory=str(directory)))
    return list(offers(context, library or Program("openssl")))


def difference(offer: Offer, seen: Scan, *, by_client: bool = False) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which report and scan differ; order counts if the server's does.

    `by_client`: True for OpenSSL 4, which takes the client's first group of TLS 1.3 unless the server decides.
    """
    found: dict[str, tuple[Any, Any]] = {}
    if list(offer.protocols) != seen.protocols:
        found["protocols"] = list(offer.protocols), seen.protocols
    for version, names in offer.ciphers.items():
        said, met = list(names), seen.ciphers.get(version, [])
        if not offer.prefers:
            said, met = sorted(said), sorted(met)
        if said != met:
            found[version] = [each for each in said if each not in met], [each for each in met if each not in said]
    ordered = "TLSv1.3" in seen.protocols and (offer.prefers or not by_client)
    groups = list(offer.groups), seen.groups
    if (groups[0] != groups[1]) if ordered else (sorted(groups[0]) != sorted(groups[1])):
        found["groups"] = groups
    return found
