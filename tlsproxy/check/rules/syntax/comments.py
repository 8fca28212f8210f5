"""Comments that speak to the checker."""

from __future__ import annotations

from collections.abc import Iterator

from ...context import Context
from ...findings import Finding, Severity
from ...rule import Rule


class UnusedIgnore(Rule):
    """Unused suppression: the rule that a comment ignores does not occur there.

    It would hide the next mistake of that kind. The engine reports it, because only the engine knows which were used.
    """

    id = "A001"
    name = "unused-ignore"
    severity = Severity.INFO
    bad = "# tlsproxy-check: ignore=V001 -- once needed\nsmtpd_tls_auth_only = yes\n"
    good = "# tlsproxy-check: ignore=V001 -- a template\nsmtpd_tls_auth_only = maybe\n"
    lookalike = "# tlsproxy-check runs in the pipeline, and may ignore=V001\nsmtpd_tls_auth_only = yes\n"

    def check(self, context: Context) -> Iterator[Finding]:  # noqa: ARG002
        """Leave it to the engine."""
        yield from ()
