"""Options of tlsproxy-postconf that postconf(1) does not have (`help.OWN`). All begin with two dashes."""

from __future__ import annotations

from ..errors import ConfigError
from ..spelling import did_you_mean
from ..syntax.patterns import ANY, matches, parse_pattern
from .help import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import Config, ServiceView
    from .usage import PostconfUsage

FLAGS = tuple(option.names[0][2:] for option in OWN if not option.value)
WITH_VALUE = tuple(option.names[0][2:] for option in OWN if option.value)
_CLOSE = 0.7


def take(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Remove our own options from the arguments; return them (a flag's value is its name) and the others.

    Raise `ConfigError` for a missing value or a misspelled option.
    """
    taken: dict[str, str] = {}
    rest: list[str] = []
    todo = list(reversed(arguments))
    while todo:
        argument = todo.pop()
        if argument == "--":
            return taken, [*rest, argument, *reversed(todo)]
        name, has_value, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or (has_value and name not in WITH_VALUE):
            rest.append(argument)
        elif name in WITH_VALUE:
            if not has_value and not todo:
                raise ConfigError(f"option --{name} requires an argument")
            taken[name] = value if has_value else todo.pop()
        elif name in FLAGS:
            taken[name] = name
        else:
            hint = did_you_mean(argument, [f"--{each}" for each in (*FLAGS, *WITH_VALUE)], _CLOSE)
            if hint:  # postconf(1) refuses any other one
                raise ConfigError(f"unrecognized option {argument} ({hint})")
            rest.append(argument)
    return taken, rest


def check(options: dict[str, str], usage: PostconfUsage) -> None:
    """Raise `ConfigError` for options of postconf(1) that don't go with --json, --origin or --service."""
    if "origin" in options:
        option, excess = "--origin", "deXfFhHmtbx#MP"
    elif "json" in options:
        option, excess = "--json", "deXfFhHmtbx#"
    elif "service" in options:
        option, excess = "--service", "deXFmtblaAT#MP"
    else:
        return
    given = [f"-{flag}" for flag in excess if flag in usage]
    if given:
        raise ConfigError(f"with option {option}, do not specify {' '.join(given)}")


def report(
    options: dict[str, str],
    usage: PostconfUsage,
    config: Config,
    *,
    listed: list[str],
    is_known: Callable[[str], bool],
    warn: Callable[[str], None],
) -> list[str]:
    """Return the lines of --json or --origin; `listed`: the names of a listing without names.

    Raise `ConfigError` for a service that does not exist.
    """
    if usage.flags & set("MP"):
        from . import reports

        return [reports.text(reports.services(_matching(usage, config, warn)))]
    view = service_named(config, options["service"]) if "service" in options else config
    names = list(usage.operands)
    for name in usage.operands:
        if not is_known(name) and name not in view:
            warn(f"{name}: unknown parameter")
            names.remove(name)
    if not usage.operands:
        names = _read_by(service_named(config, options["service"])) if "service" in options else listed
        names = [name for name in names if "n" not in usage or view.origin(name).place]
    if "origin" in options and "json" not in options:
        from .. import origins

        return [line for name in names for line in origins.lines(view, name)]
    from . import reports

    return [reports.text(reports.parameters(view, names, chains="origin" in options))]


def _matching(usage: PostconfUsage, config: Config, warn: Callable[[str], None]) -> list[ServiceView]:
    """Return the services that the operands select, in the order of master.cf."""
    patterns = {}
    for text in usage.operands or [ANY]:
        pattern = parse_pattern(text, 1, 2)
        if pattern is None:
            raise ConfigError("--json with -M or -P requires service_name[/type]")
        patterns[text] = pattern
    found: dict[str, list[ServiceView]] = {
        text: [
            view for view in config.services() if matches(name, view.service.name) and matches(type, view.service.type)
        ]
        for text, (name, type) in patterns.items()
    }
    for text in usage.operands:
        if not found[text]:
            warn(f'unmatched request: "{text}"')
    chosen = {view.service.line.number: view for views in found.values() for view in views}
    return [chosen[number] for number in sorted(chosen)]


def service_named(config: Config, text: str) -> ServiceView:
    """Return the view of the service NAME/TYPE; raise `ConfigError` for an unknown service."""
    pattern = parse_pattern(text, 2, 2)
    if pattern is None or ANY in pattern:
        raise ConfigError("--service requires service_name/type")
    try:
        return config.service(*pattern)
    except KeyError:
        hint = did_you_mean(text, [f"{each.service.name}/{each.service.type}" for each in config.services()], 0.6)
        raise ConfigError(f"no service {text} in {config.master.path}{hint and f' ({hint})'}") from None


def _read_by(view: ServiceView) -> list[str]:
    """Return the parameters that the service's program reads (catalogue), and its settings in master.cf."""
    release, service = view.release, view.service
    program = service.command.rpartition("/")[2]
    settings = view.config.master.settings.get(service.key, {})
    read = [
        name
        for name in release.defaults
        if program in (parameter := release.parameter(name)).programs
        or (program == "tlsproxy" and parameter.role not in ("", "compat"))
    ]
    return sorted({*read, *settings})
