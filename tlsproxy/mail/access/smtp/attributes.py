"""Attributes of a session in templates: smtpd_reject_footer, default_rbl_reply, rbl_reply_maps (smtpd_expand.c)."""

from __future__ import annotations

import re

from ...addresses import split
from ..restrictions.evaluation import Evaluation
from .replies import expand_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MAX_BYTE = 255


def unescaped(text: str) -> str:
    r"""Replace `\t`, `\40` and the like by the characters that they mean (unescape(3))."""
    return _ESCAPE.sub(lambda match: _character(match.group(1)), text)


def _character(escape: str) -> str:
    if escape[0] in "01234567":
        return chr(int(escape, 8) & _MAX_BYTE)
    return _CONTROLS.get(escape, escape)


def expand_reply(evaluation: Evaluation, template: str, values: Mapping[str, str]) -> str:
    """Expand a template; `values` are attributes beside those of the session. Raises `ExpressionError`.

    Values that a client has chosen keep the characters of smtpd_expansion_filter; others become `_`.
    """
    allowed = evaluation.smtpd.expansion_filter

    def look_up(name: str) -> str | None:
        value = values[name] if name in values else attribute(evaluation, name)
        if value is None:
            return None
        return value if allowed.issuperset(value) else "".join(each if each in allowed else "_" for each in value)

    return expand_attributes(template, look_up, evaluation.warn)


def attribute(evaluation: Evaluation, name: str) -> str | None:
    """Return the value of an attribute, or None for an unknown name."""
    client = evaluation.client
    plain = {
        "server_name": evaluation.settings.text("myhostname"),
        "client": evaluation.name_and_address,
        "client_port": client.port,
        "client_address": client.address,
        "client_name": client.name,
        "reverse_client_name": client.reverse_name,
        "helo_name": evaluation.helo or "",
        "localtime": "",
    }
    if name in plain:
        return plain[name]
    for prefix, address in (("sender", evaluation.sender), ("recipient", evaluation.recipient)):
        if name.startswith(prefix):
            return _of_address(address, name.removeprefix(prefix))
    evaluation.warn(f'unknown macro name "{name}" in expansion request')
    return None


def _of_address(address: str | None, part: str) -> str | None:
    if part not in ("", "_name", "_domain"):
        return None
    if address is None:
        return ""
    if part == "_domain":
        return split(address)[1]
    return (address if not part else split(address)[0]) or "<>"
