"""Settings of the service: directories, names, and the watchdog."""

from __future__ import annotations

from pydantic import Field

from .types import Integer, Seconds, Settings, Text


class ServiceSettings(Settings):
    """tlsproxy(8), "RESOURCE CONTROLS" and "MISCELLANEOUS CONTROLS"."""

    config_directory: Text = Field(description="Directory of main.cf and master.cf.")
    process_id: Integer = Field(description="Process id.")
    process_name: Text = Field(description="The command of the service in master.cf.")
    service_name: Text = Field(description="The name of the service in master.cf.")
    syslog_facility: Text = Field(description="syslog(3) facility of log lines.")
    syslog_name: Text = Field(description="Prefix of the process name in log lines.")
    tlsproxy_watchdog_timeout: Seconds = Field(description="Time limit for one request, in seconds.")
