"""Listings of postconf(1): parameters of main.cf, and services of master.cf with their fields and settings.

This module selects and orders the items; `display` and `streaming` format them.
"""

from __future__ import annotations

from ..catalogue import RAW
from ..errors import ConfigError
from ..names import Names
from ..syntax.expressions import ExpressionError
from ..syntax.lines import encode
from ..syntax.mastercf import FIELDS
from ..syntax.patterns import ANY, check_field, matches, parse_pattern
from .display import assignment, entry, field_start, field_value, fields_and_arguments, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import Config, View
    from ..syntax.mastercf import Service
    from .usage import PostconfUsage

_WANTED = {"M": "service_name[/type]", "F": "service_name[/type[/field]]", "P": "service_name[/type[/parameter]]"}


class Listing:
    """One listing of a configuration."""

    def __init__(
        self,
        usage: PostconfUsage,
        config: Config,
        show: Callable[[str], None],
        warn: Callable[[str], None],
        flush: Callable[[], None],
    ) -> None:
        """`show`: receives lines; `warn`: receives warnings about the configuration; `flush`: writes buffered lines."""
        self._usage = usage
        self._config = config
        self._show = show
        self._warn = warn
        self._names = Names(config, warn, quiet="q" in usage, flush=flush)

    def parameters(self) -> None:
        """List the named parameters, or all of the selected classes."""
        usage, names = self._usage, self._names
        if "d" not in usage:
            names.register_user_names()
        for name in usage.operands or selected(names, usage):
            if names.is_known(name) or not usage.operands:
                self._show_parameter(name)
            else:
                self._warn(f"{name}: unknown parameter")
        if "d" not in usage:
            names.warn_of_unused(master_only=False)

    def services(self) -> None:
        """List services (-M), their fields (-F) or their settings (-P, -PP)."""
        usage, names, config = self._usage, self._names, self._config
        # Removes the read-only names, not their name space.
        with_settings = {id(service) for service in config.master.services if service.shared}
        names.register_user_names()
        mode = next(letter for letter in "MFP" if letter in usage)
        patterns = [_pattern(text, mode) for text in usage.operands or [ANY]]
        unmatched = dict.fromkeys(usage.operands)
        for service in config.master.services:
            if mode == "P" and "PP" not in usage and id(service) not in with_settings:
                continue
            for text, pattern in zip(usage.operands or [ANY], patterns, strict=True):
                if not (matches(pattern[0], service.name) and matches(pattern[1], service.type)):
                    continue
                if self._show_service(mode, service, pattern):
                    unmatched.pop(text, None)
        for text in usage.operands:
            if text in unmatched:
                self._warn(f'unmatched request: "{text}"')
        names.warn_of_unused(master_only=True)

    def _show_parameter(self, name: str) -> None:
        usage, config = self._usage, self._config
        if "d" in usage:
            value = config.default(name)
            if value is None and name not in config.release.legacy():
                return
        elif "n" in usage:
            value = config.main[name].value if name in config.main else None
            if value is None:
                return
        else:
            value = config.lookup(name)
        if value and self._expands and config.release.kinds.get(name) != RAW:
            value = self._expand(value, config.default if "d" in usage else config.lookup)
        self._show_assignment(name, value or "")

    def _show_service(self, mode: str, service: Service, pattern: tuple[str, ...]) -> bool:
        """Show the items of a service that a pattern selects; return True if there are any."""
        view = next(each for each in self._config.services() if each.service is service)
        expander = (lambda value: self._expand(value, view.lookup)) if "x" in self._usage else None
        if mode == "M":
            if "j" in self._usage:
                self._show_object(service.key, fields_and_arguments(service, expand=expander))
            else:
                self._show(entry(service, folded="f" in self._usage, expand=expander))
            return True
        if mode == "F":
            for field in FIELDS:
                if matches(pattern[2], field):
                    self._show_field(service, field, expander)
            return True
        return self._show_settings(service, view, pattern[2])

    def _show_settings(self, service: Service, view: View, pattern: str) -> bool:
        found = False
        for name in self._settings(service, pattern):
            found = True
            value = view.lookup(name) or ""
            if self._expands and (name in service.shared or self._config.release.kinds.get(name) != RAW):
                value = self._expand(value, view.lookup)
            self._show_assignment(f"{service.key}/{name}", value)
        return found or pattern == ANY

    def _settings(self, service: Service, pattern: str) -> list[str]:
        """Return the parameter names to show for a service, in order."""
        names = set(service.shared)
        if "PP" in self._usage:
            if pattern == ANY:
                names.update(selected(self._names, self._usage))
            else:
                names.update(self._config.release.defaults, self._names.services, self._names.user)
        return sorted((name for name in names if matches(pattern, name)), key=encode)

    def _show_field(self, service: Service, field: str, expander: Callable[[str], str] | None) -> None:
        usage = self._usage
        name = f"{service.key}/{field}"
        folded = "f" in usage
        if "H" in usage:
            self._show(name)
        elif "j" in usage:
            self._show_object(name, field_value(service, field, start=width(name), folded=False, expand=expander))
        else:
            start = "" if "h" in usage else field_start(name, service.fields[FIELDS.index(field)])
            column = width(start.rpartition("\n")[2])
            self._show(start + field_value(service, field, start=column, folded=folded, expand=expander))

    def _show_assignment(self, name: str, value: str) -> None:
        usage = self._usage
        if "j" in usage:
            self._show_object(name, value)
        else:
            self._show(assignment(name, value, names="h" not in usage, values="H" not in usage, folded="f" in usage))

    def _show_object(self, name: str, value: str) -> None:
        from .streaming import object_line

        self._show(object_line(name, value))

    @property
    def _expands(self) -> bool:
        return "x" in self._usage and "H" not in self._usage

    def _expand(self, value: str, lookup: Callable[[str], str | None]) -> str:
        try:
            return self._config.expand(value, lookup, self._warn, is_verbatim=self._names.is_verbatim)
        except ExpressionError as error:
            raise ConfigError(str(error)) from None


def selected(names: Names, usage: PostconfUsage) -> list[str]:
    """Return the names of a full listing, in order."""
    config = names.config
    chosen: set[str] = set()
    for name in [*config.release.defaults, *names.services]:
        if ("service" if names.is_service_class(name) else "builtin") in usage.classes:
            chosen.add(name)
    if "user" in usage.classes and "d" not in usage:
        chosen |= names.user - set(config.release.defaults) - set(names.services)
    return sorted(chosen, key=encode)


def _pattern(text: str, mode: str) -> tuple[str, ...]:
    pattern = parse_pattern(text, 1, 2 if mode == "M" else 3)
    if pattern is None:
        raise ConfigError(f"-{mode} option requires {_WANTED[mode]}")
    if mode == "F":
        check_field(pattern[2])
    return pattern
