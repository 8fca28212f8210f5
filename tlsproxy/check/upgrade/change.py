"""One change that an upgrade brings to a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from ..findings import Finding, Fix, Severity, Span


@dataclass(frozen=True, slots=True)
class Change:
    """A finding, with the parameter, service or table type that it is about."""

    finding: Finding
    """Its `rule` is the id of the change."""
    since: str
    """The first release with the change, on the way of this upgrade."""
    kind: str
    parameter: str
    old: str | None
    """The effective value, or None if the change has no value."""
    new: str | None

    @property
    def order(self) -> tuple[int, str, int, int, str, str]:
        """Return the key that sorts changes: the worst first, then as a reader meets them."""
        span = self.finding.span
        return -self.finding.severity, span.path, span.line, span.column, self.finding.rule, self.parameter


def make(
    id: str,
    severity: Severity,
    span: Span,
    message: str,
    help: str,
    *,
    since: str,
    kind: str,
    parameter: str,
    old: str | None = None,
    new: str | None = None,
    fix: Fix | None = None,
    related: tuple[tuple[Span, str], ...] = (),
) -> Change:
    """Return a change, with its finding; `since` is the release that brings it."""
    finding = Finding(id, since, severity, span, message, help, related, fix)
    return Change(finding, since, kind, parameter, old, new)
