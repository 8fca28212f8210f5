"""Log output of Postfix programs as in main.cf: postlogd(8) with a maillog_file, else syslog."""

from __future__ import annotations

from postconf.models import TlsSettings

from . import sinks
from .lines import Form, PostfixForm, Sink, SyslogForm

PROGRAM = "tlsproxy"
"""The name in log lines and in $process_name, also if the command has another name (tlsproxy-py) beside the
C program: tools that read the log look for postfix/tlsproxy. `-o syslog_name=…` in master.cf makes another tag.
"""


def log_tag(settings: TlsSettings) -> str:
    """Return the tag of log lines, such as postfix/tlsproxy."""
    return f"{settings.service.syslog_name}/{PROGRAM}"


def mail_log(settings: TlsSettings) -> tuple[Form, Sink]:
    """Return the form of the lines and the way they take; to be called in the queue directory."""
    service, view = settings.service, settings.view
    tag = log_tag(settings)
    if view["maillog_file"]:
        # Relative, and so the same in and out of the chroot.
        postlogd = sinks.Datagrams(f"public/{view['postlog_service_name']}", together=True)
        return PostfixForm(tag, view["myhostname"]), postlogd
    return SyslogForm(tag, service.syslog_facility), sinks.Datagrams(sinks.SYSLOG_SOCKET)
