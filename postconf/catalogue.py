"""Catalogue of the built-in parameters of each Postfix release: default, kind, limits, and programs that read it.

The facts are the tab-separated tables in `data/`, made by tools/make_catalogue.py. A new release is new rows there;
no code names a release. This module does not know values: `Config` has the effective ones, `values` parses them.

Reading the catalogue takes a millisecond or two and imports nothing, because commands read it at each start.
"""

from __future__ import annotations

from itertools import compress

from .errors import PostconfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = "3.7"
"""Release that is assumed without an installed Postfix."""

COMPUTED = "computed"  # myhostname, mydomain, mynetworks: the default depends on the machine
ADHOC = "adhoc"  # process_name, process_id, service_name: set by the running process, read-only
RAW = "raw"  # never expanded


class UnknownReleaseError(PostconfError, ValueError):
    """Postfix version of a branch that is not in the catalogue."""


class Parameter:
    """One parameter in Postfix's own tables.

    `minimum` and `maximum` bound a number or a time in seconds, or the length of a string; 0 is no limit. `unit` is
    the default unit of kind `time`. `programs` are the programs whose tables have the parameter (`lib…`: read by
    several). `role` is the section of tlsproxy(8) that names it, or `compat` for the smtp(d)_ parameter behind it.
    """

    __slots__ = ("default", "kind", "maximum", "minimum", "name", "programs", "role", "unit")

    COLUMNS = ("name", "kind", "first", "last", "min", "max", "unit", "role", "programs", "default")

    def __init__(self, cells: list[str], default: str) -> None:
        """`cells`: one row of the table; `default`: the default of the build."""
        self.name, self.kind, _, _, minimum, maximum, self.unit, self.role, programs, _ = cells
        self.default = default
        self.minimum = int(minimum or 0)
        self.maximum = int(maximum or 0)
        self.programs = tuple(programs.split())


class Release:
    """Parameters of one release, created by `release()`.

    `defaults` has the text of each default as Postfix's source has it (blanks squeezed, empty for the kinds COMPUTED
    and ADHOC), `kinds` its kind: str, raw, int, long, nint, bool, nbool, time, computed or adhoc. An n-kind's default
    is an expression.
    """

    def __init__(self, name: str, table: str) -> None:
        """`table`: the catalogued upstream release whose parameters `name` has."""
        self.name = name
        self.version = _numbers(name)
        self._table = table
        # The whole table at once, column by column: row by row takes three times as long (measured).
        width = len(Parameter.COLUMNS)
        cells = "\t".join(_rows("parameters")).split("\t")
        covers = _covering(table)
        selected = [
            not (first or last) or covers(first, last)
            for first, last in zip(cells[2::width], cells[3::width], strict=True)
        ]
        names = list(compress(cells[::width], selected))
        self.kinds = dict(zip(names, compress(cells[1::width], selected), strict=True))
        self.defaults = defaults = dict(zip(names, compress(cells[width - 1 :: width], selected), strict=True))
        self._rows = dict(zip(names, compress(range(0, len(cells), width), selected), strict=True))
        self._cells = cells
        # A cache for programs that read many configurations.
        self._parameters: dict[str, Parameter] = {}
        self._service_parameters: dict[str, list[tuple[str, str]]] = {}
        self._legacy: frozenset[str] | None = None
        self._deprecated: dict[str, str] | None = None
        if name != table:
            self._patch()
        defaults["mail_version"] = name.partition("-debian")[0]
        defaults.update((parameter, default) for build, parameter, default in _columns("builds") if build == name)

    def _patch(self) -> None:
        """Apply, or revert, the changes of patch releases between the table's release and this one."""
        mine, made_from = self.version, _numbers(self._table)
        changes = [row for row in _columns("patches") if _numbers(row[0])[:2] == made_from[:2]]
        for first, parameter, _, after in changes:
            if made_from < _numbers(first) <= mine:
                self._set(parameter, after)
        for first, parameter, before, _ in reversed(changes):
            if mine < _numbers(first) <= made_from:
                self._set(parameter, before)

    def _set(self, parameter: str, cell: str) -> None:
        """Change the default of a parameter; an empty cell removes the parameter."""
        if cell:
            self.defaults[parameter] = cell[1:-1]
        else:
            del self.defaults[parameter], self.kinds[parameter], self._rows[parameter]

    def since(self, *firsts: str) -> bool:
        """Return True if this release has a change; `firsts` are the first releases with it, one for each branch."""
        branches = sorted(_numbers(first) for first in firsts)
        same = [first for first in branches if first[:2] == self.version[:2]]
        return self.version >= (same or branches[-1:])[0]

    def parameter(self, name: str) -> Parameter:
        """Return one parameter. Raise KeyError for a name that is not built in."""
        if name not in self._parameters:
            start = self._rows[name]
            cells = self._cells[start : start + len(Parameter.COLUMNS)]
            self._parameters[name] = Parameter(cells, self.defaults[name])
        return self._parameters[name]

    def service_parameters(self, program: str) -> list[tuple[str, str]]:
        """Return (suffix, default) of the parameters that each master.cf service with this command has."""
        if program not in self._service_parameters:
            rows = _columns("service")
            found = [(suffix, default) for suffix, default, programs in rows if program in programs.split()]
            self._service_parameters[program] = found
        return self._service_parameters[program]

    def dbms_suffixes(self) -> dict[str, frozenset[str]]:
        """Return the keys of the client configuration (`NAME_key` in main.cf) by database type."""
        covers = _covering(self._table)
        rows = _columns("suffixes")
        return {dbms: frozenset(keys.split()) for dbms, first, last, keys in rows if covers(first, last)}

    def legacy(self) -> frozenset[str]:
        """Obsolete names that are valid when set, have no default and are not listed."""
        if self._legacy is None:
            rows = _columns("legacy")
            old = [name for name, since in rows if self.version >= _numbers(since)]
            self._legacy = frozenset(old) - self.defaults.keys()
        return self._legacy

    def deprecated(self) -> dict[str, str]:
        """Advice of postconf(1) by name, for each name that it warns about."""
        if self._deprecated is None:
            rows = _columns("deprecated")
            self._deprecated = {name: advice for name, since, advice in rows if self.version >= _numbers(since)}
        return self._deprecated

    def deprecated_since(self, name: str) -> str:
        """Return the first release in which postconf(1) warns of a name. Raise KeyError for other names."""
        return {each: since for each, since, _ in _columns("deprecated")}[name]


def release(version: str = DEFAULT, build: str = "") -> Release:
    """Return the catalogue of a release: `3.7.11`, its branch `3.7`, or a build such as `3.7.11-debian12`.

    A patch release that is not catalogued has the parameters of the nearest earlier one, else of the first later
    one, with the changes of the patch releases between them. `build` (`debian`) selects that
    distribution's build of the same branch, if there is one.
    """
    made_from = dict(_columns("releases"))
    numbers = _numbers(version)
    branch = [name for name in made_from if _numbers(name)[:2] == numbers[:2]]
    if not branch:
        known = ", ".join(dict.fromkeys(".".join(name.split(".")[:2]) for name in upstream_releases()))
        raise UnknownReleaseError(f"Postfix {version} is not in the catalogue, which has {known}")
    if build:
        version = next((name for name in branch if f"-{build}" in name), version)
    if version in made_from:
        return Release(version, made_from[version] or version)
    upstream = [name for name in branch if not made_from[name]]
    if len(numbers) == 2:
        return Release(upstream[0], upstream[0])
    earlier = [name for name in upstream if _numbers(name) <= numbers]
    return Release(version, (earlier or upstream[:1])[-1])


def releases() -> list[str]:
    """Return the names of catalogued releases and builds: upstream's, oldest first, then those of distributions."""
    return [name for name, _ in _columns("releases")]


def upstream_releases() -> list[str]:
    """Return the names of upstream's releases, oldest first."""
    return [name for name, made_from in _columns("releases") if not made_from]


def general_parameters() -> list[str]:
    """Return the parameters that every program evaluates at its start, of all releases, in the order of evaluation."""
    return _rows("general")


def parsed_references() -> list[list[str]]:
    """Return the parsed references ${…} of all defaults (cells of `references.tsv`; texts are in braces)."""
    return _columns("references")


def kind_rows() -> list[list[str]]:
    """Return the rows of `kinds.tsv`: name, kind, detail, effect of a bad value, required settings (`kinds`)."""
    return _columns("kinds")


def _covering(table: str) -> Callable[[str, str], bool]:
    """Return a test whether a range of catalogued releases, `first` to `last`, covers `table`; "" is an open end."""
    order = upstream_releases()
    position = order.index(table)

    def covers(first: str, last: str) -> bool:
        return (not first or order.index(first) <= position) and (not last or position <= order.index(last))

    return covers


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: (3, 7, 11) for 3.7.11-debian12."""
    numbers = version.partition("-")[0].split(".")
    if len(numbers) < 2 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise UnknownReleaseError(f"{version!r} is not a Postfix version such as 3.7 or 3.7.11")
    return tuple(map(int, numbers))


def _columns(table: str) -> list[list[str]]:
    return [row.split("\t") for row in _rows(table)]


def _rows(table: str) -> list[str]:
    # A plain open: pathlib and importlib.resources cost more than reading.
    with open(f"{__file__.rpartition('/')[0]}/data/{table}.tsv", encoding="utf-8") as file:  # noqa: PTH123
        return file.read().splitlines()[1:]
