"""Where Postfix programs log, as main.cf says: to postlogd(8) where there is a maillog_file, else to syslog."""

from __future__ import annotations

from postconf.models import TlsSettings

from . import sinks
from .lines import Form, PostfixForm, Sink, SyslogForm


def mail_log(settings: TlsSettings) -> tuple[Form, Sink]:
    """The form of the lines and the way they take; to be called in the queue directory."""
    service, view = settings.service, settings.view
    tag = f"{service.syslog_name}/{service.process_name}"
    if view["maillog_file"]:
        # Relative, and so the same in and out of the chroot.
        postlogd = sinks.Datagrams(f"public/{view['postlog_service_name']}", together=True)
        return PostfixForm(tag, view["myhostname"]), postlogd
    return SyslogForm(tag, service.syslog_facility), sinks.Datagrams(sinks.SYSLOG_SOCKET)
