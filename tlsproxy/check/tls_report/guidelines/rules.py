"""The rules under which violations of a guideline are reported."""

from __future__ import annotations

from ...rule import Rule


class GuidelineProtocols(Rule):
    """Versions that a guideline does not allow, or that it wants and are not offered."""

    id, name = "G001", "guideline-protocols"


class GuidelineCiphers(Rule):
    """Ciphers that a guideline does not allow."""

    id, name = "G002", "guideline-ciphers"


class GuidelineGroups(Rule):
    """Key exchange groups, or finite fields, that a guideline does not allow."""

    id, name = "G003", "guideline-groups"


class GuidelineCertificate(Rule):
    """A certificate that a guideline does not allow."""

    id, name = "G004", "guideline-certificate"


class GuidelineOrder(Rule):
    """The order of ciphers is decided by the other side than a guideline wants."""

    id, name = "G005", "guideline-order"


PROTOCOLS, CIPHERS, GROUPS, CERTIFICATE, ORDER = RULES = (
    GuidelineProtocols(),
    GuidelineCiphers(),
    GuidelineGroups(),
    GuidelineCertificate(),
    GuidelineOrder(),
)
