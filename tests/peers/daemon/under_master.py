"""A private instance of Postfix in which master(8) runs our daemon as its tlsproxy service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..real.postfix import PrivatePostfix
from .proxy import script, write_config


def with_daemon(
    root: Path,
    settings: Mapping[str, str] | None = None,
    *,
    chroot: str = "n",
    command: str = "tlsproxy",
    program: Path | None = None,
) -> PrivatePostfix:
    """Lay out an instance, which is not started yet: a certificate and these settings; `program` is its tlsproxy(8)."""
    write_config(root / "pki", {})
    (root / "pki" / "chain.pem").chmod(0o600)
    base = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_loglevel": "1",
        "smtpd_tls_chain_files": f"{root}/pki/chain.pem",
    }
    master_cf = PrivatePostfix.master_cf_with(f"tlsproxy unix - - {chroot} - 0 {command}")
    postfix = PrivatePostfix(root / "postfix", base | dict(settings or {}), master_cf)
    postfix.replace_daemon(command.split(maxsplit=1)[0], program or Path(script("tlsproxy")))
    return postfix


StartPostfix = Callable[..., PrivatePostfix]
"""The fixture `start_postfix`: settings, and the options of `with_daemon`."""
