"""Settings of the service: directories, names, and the watchdog."""

from __future__ import annotations

from pydantic import Field

from .types import Integer, Seconds, Settings, Text


class Service(Settings):
    """tlsproxy(8), "RESOURCE CONTROLS" and "MISCELLANEOUS CONTROLS"."""

    config_directory: Text = Field(description="Where main.cf and master.cf are.")
    process_id: Integer = Field(description="Of this process.")
    process_name: Text = Field(description="The command of the service in master.cf.")
    service_name: Text = Field(description="The name of the service in master.cf.")
    syslog_facility: Text = Field(description="Under which facility syslog(3) files our lines.")
    syslog_name: Text = Field(description="What stands before the process name in our log lines.")
    tlsproxy_watchdog_timeout: Seconds = Field(description="How long one request may keep the process, in seconds.")
