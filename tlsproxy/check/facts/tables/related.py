"""Entries of tables that contradict a setting beside them: fingerprints by another digest, mailbox paths twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from postconf.syntax.lines import decode

from ...context import Context
from .contents import WITH_KEYS, Content, contents
from .named import Named, named_tables
from .uses import used_tables

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+\Z")
_DIGESTS = {"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
"""Bytes of a fingerprint, by smtpd_tls_fingerprint_digest."""
_MOST_ENTRIES = 10_000


def other_digests(context: Context) -> Iterator[tuple[Named, Content, str]]:
    """Yield the first fingerprint of each table of client certificates whose length is that of another digest."""
    digest = context.value("smtpd_tls_fingerprint_digest").lower()
    if digest not in _DIGESTS:
        return
    asked = {each.named.text: each.named for each in used_tables(context) if each.check == "check_ccert_access"}
    asked |= {each.text: each for each in named_tables(context) if each.assignment.name == "relay_clientcerts"}
    for named in asked.values():
        if named.kind not in WITH_KEYS:
            continue
        for entry in islice(contents(context, named), _MOST_ENTRIES):
            key = decode(entry.key)
            length = key.count(":") + 1
            if _FINGERPRINT.match(key) and length != _DIGESTS[digest]:
                other = next((name for name, size in _DIGESTS.items() if size == length), "")
                of = f"are a fingerprint by {other}" if other else "are no fingerprint"
                yield named, entry, f"{length} bytes {of}, and smtpd_tls_fingerprint_digest is {digest}"
                break


def doubled_paths(context: Context) -> Iterator[tuple[Named, Content]]:
    """Yield the first path of each table of mailboxes that begins with virtual_mailbox_base, for virtual(8)."""
    base = context.value("virtual_mailbox_base").rstrip("/")
    if not base or context.value("virtual_transport").partition(":")[0] != "virtual":
        return
    for named in named_tables(context):
        if named.assignment.name != "virtual_mailbox_maps":
            continue
        for entry in islice(contents(context, named), _MOST_ENTRIES):
            if decode(entry.value).startswith(f"{base}/"):
                yield named, entry
                break
