"""Configuration as JSON (`--json`): values and their origins."""

from __future__ import annotations

import json

from .. import origins
from ..errors import ConfigError
from ..syntax.mastercf import FIELDS, place_of_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config import Origin, ServiceView, View
    from ..errors import Place

Json = dict[str, object]


def parameters(view: View, names: Iterable[str], *, chains: bool = False) -> Json:
    """Return value, text and place of each name, and the same for all its references.

    `chains`: True to add the steps of --origin as a list. Raise KeyError for an unknown name.
    """
    return {name: _parameter(view, name) | (_chain(view, name) if chains else {}) for name in names}


def services(views: Iterable[ServiceView]) -> list[Json]:
    """Return the entries of master.cf: fields, arguments and -o settings, with their places."""
    return [_service(view) for view in views]


def text(report: Json | list[Json]) -> str:
    """Return the printed report. Bytes that are not UTF-8 are lone surrogates, as in Python's file names."""
    return json.dumps(report, indent=2)


def _parameter(view: View, name: str) -> Json:
    (_, origin), *references = origins.chain(view, name)
    report: Json = {}
    try:
        report["value"] = view[name]
    except ConfigError as error:
        report |= {"value": None, "error": error.message}
    report |= _origin(origin)
    if references:
        report["references"] = {reference.name: _origin(reference) for _, reference in references}
    return report


def _chain(view: View, name: str) -> Json:
    steps = [{"name": each.name, "depth": depth, **_origin(each)} for depth, each in origins.chain(view, name)]
    return {"chain": steps}


def _origin(origin: Origin) -> Json:
    return {"text": origin.text, "origin": origin.kind, **_place(origin.place)}


def _service(view: ServiceView) -> Json:
    service = view.service
    settings = view.config.master.settings.get(service.key, {})
    return {
        **dict(zip(FIELDS, service.fields, strict=True)),
        "arguments": service.arguments,
        **_place(place_of_field(service, "service")),
        "settings": parameters(view, settings),
    }


def _place(place: Place | None) -> Json:
    return {"file": place.path, "line": place.line, "column": place.column} if place else {}
