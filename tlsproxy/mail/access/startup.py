"""Start-up errors: restriction lists that smtpd(8) refuses to run with. The client gets no greeting then."""

from __future__ import annotations

from postconf import ConfigError

from .restrictions import table as restrictions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..view import MailView
    from .restrictions.lists import Classes, RestrictionList
    from .restrictions.table import Stage

_TEMPFAIL_ACTIONS = (
    "unknown_address_tempfail_action",
    "unknown_helo_hostname_tempfail_action",
    "unverified_recipient_tempfail_action",
    "unverified_sender_tempfail_action",
)


def check_start(settings: MailView, lists: Mapping[Stage, RestrictionList], classes: Classes) -> None:
    """Raise `ConfigError` for a list with which smtpd(8) dies when it reads it."""
    for name in classes.undefined:
        message = f"restriction class `{name}' needs a definition"
        remedy = f"give {name} a value, or remove it"
        raise ConfigError(message, settings.place("smtpd_restriction_classes"), remedy)
    require_relay_control(settings, lists, classes)
    for name in _TEMPFAIL_ACTIONS:
        if settings.text(name).lower() not in ("defer", "defer_if_permit"):
            message = f"bad configuration: {name} = {settings.text(name)}"
            raise ConfigError(message, settings.place(name), "specify defer or defer_if_permit")


def require_relay_control(settings: MailView, lists: Mapping[Stage, RestrictionList], classes: Classes) -> None:
    """Raise `ConfigError` if nothing in the relay and recipient restrictions rejects mail that must not be relayed."""
    for stage in (restrictions.RECIPIENT, restrictions.RELAY):
        if has_relay_control(lists[stage], classes):
            return
    *names, last = restrictions.MUST_REJECT
    raise ConfigError(
        "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance"
        f" of: {', '.join(names)} or {last}",
        settings.place("smtpd_relay_restrictions") or settings.place("smtpd_recipient_restrictions"),
        "add reject_unauth_destination to smtpd_relay_restrictions",
    )


def has_relay_control(words: RestrictionList, classes: Classes) -> bool:
    """Return True if smtpd(8) finds one of `restrictions.MUST_REJECT` in a list or its classes."""
    seen: set[str] = set()
    open_lists = [iter(words.words)]  # classes in classes may be deeper than calls can be
    while open_lists:
        word = next(open_lists[-1], None)
        if word is None or word.text.lower() == "permit":
            open_lists.pop()
            continue
        name = word.text.lower()
        if name == "warn_if_reject":
            next(open_lists[-1], None)
        elif name in restrictions.MUST_REJECT:
            return True
        else:
            members = classes.get(word.text)
            if members is not None and word.text not in seen:
                seen.add(word.text)
                open_lists.append(iter(members.words))
    return False
