"""DNS lists of postscreen(8): the score that they can make, the threshold, and the action."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import View
from postconf.values import InvalidValueError, integer

from ...context import Context, words_of
from ...findings import Finding, Severity
from ...rule import Rule

_LONGEST = 10
"""Characters of a weight."""
_ALLOWING = ("postscreen_dnsbl_allowlist_threshold", "postscreen_dnsbl_whitelist_threshold")


def _weight(site: str) -> int:
    """Return the weight of a list; 1 without one, and for one that is no number, which V022 reports."""
    weight = site.partition("*")[2]
    return int(weight) if weight.lstrip("+-").isdigit() and len(weight) < _LONGEST else 1


class UselessLists(Rule):
    """DNS lists of postscreen(8) that reject no client: the threshold is out of reach, or the action is `ignore`.

    The score of a client is the sum of the weights of all lists that have it.
    """

    id = "Q012"
    name = "useless-dns-lists"
    severity = Severity.WARNING
    effect = "postscreen(8) logs `DNSBL rank …` at most, and passes each client to smtpd(8)."
    bad = (
        "postscreen_dnsbl_sites = a.example*2 b.example\npostscreen_dnsbl_threshold = 8\n"
        "postscreen_dnsbl_action = enforce\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
        "smtpd pass - - y - - smtpd\ndnsblog unix - - y - 0 dnsblog\n"
    )
    good = (
        "postscreen_dnsbl_sites = a.example*2 b.example\npostscreen_dnsbl_threshold = 3\n"
        "postscreen_dnsbl_action = enforce\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
        "smtpd pass - - y - - smtpd\ndnsblog unix - - y - 0 dnsblog\n"
    )
    lookalike = (
        "postscreen_dnsbl_sites = list.example*-2\npostscreen_dnsbl_allowlist_threshold = -1\n--- master.cf\n"
        "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\ndnsblog unix - - y - 0 dnsblog\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for view in context.views("postscreen"):
            setting = context.setting("postscreen_dnsbl_sites", view)
            weights = [_weight(each) for each in words_of(context.value("postscreen_dnsbl_sites", view))]
            most = sum(weight for weight in weights if weight > 0)
            if setting is None or not most:
                continue
            action = context.value("postscreen_dnsbl_action", view).lower()
            threshold = self._threshold(context, view)
            given = context.setting("postscreen_dnsbl_threshold", view)
            allows = any(context.is_set(each, view) for each in _ALLOWING)
            if action == "ignore" and not allows and not context.is_set("postscreen_dnsbl_action", view):
                yield self.finding(
                    setting.name_span(),
                    "by default, postscreen(8) only logs the clients in these lists",
                    "set postscreen_dnsbl_action = enforce",
                )
            elif action in ("enforce", "drop") and threshold is not None and threshold > most:
                yield self.finding(
                    given.span() if given else setting.name_span(),
                    f"the weights of all lists add up to {most}: no client reaches {threshold}",
                    f"set postscreen_dnsbl_threshold to at most {most}",
                    related=[(setting.name_span(), "the lists")] if given else (),
                )
            return

    @staticmethod
    def _threshold(context: Context, view: View) -> int | None:
        name = "postscreen_dnsbl_threshold"
        try:
            return integer(context.release.parameter(name), context.value(name, view))
        except (InvalidValueError, KeyError):
            return None
