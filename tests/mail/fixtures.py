"""Types of fixtures: functions that make a configuration, or ask one."""

from __future__ import annotations

from collections.abc import Callable

import postconf
from tlsproxy.mail.routing.router import Router
from tlsproxy.mail.view import MailView

MakeConfig = Callable[..., postconf.Config]
MakeView = Callable[..., MailView]
MakeRouter = Callable[..., Router]
MakeDirectory = Callable[..., str]
"""It writes a configuration, and returns its directory."""
Check = Callable[..., tuple[int, str, str]]
"""It checks a file of expectations; exit status, output and errors."""
