"""The monitoring samples fit the daemon's reports, and the units fit systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from peers.daemon.proxy import running, write_config
from peers.tools.children import PATIENCE

from tlsproxy.daemon.monitoring.asking import ask

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
RULES = SAMPLES / "monitoring" / "alerts.yml"
UNITS = (
    "systemd/tlsproxy.service",
    "systemd/tlsproxy.socket",
    "monitoring/tlsproxy-metrics.service",
    "monitoring/tlsproxy-metrics.timer",
)


def test_every_metric_of_the_alerts_is_reported(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with running(tmp_path) as proxy:
        metrics = ask(proxy.directory / "socket.control", "/metrics")
    text = RULES.read_text()
    used = set(re.findall(r"\btlsproxy_\w+", text))
    assert len(used) >= 10
    assert used <= set(re.findall(r"^# TYPE (\w+) ", metrics, re.MULTILINE))
    for label, values in re.findall(r'(\w+)!?[=~]+"([\w|]+)"', text):
        for value in values.split("|"):
            assert value == "master" or f'{label}="{value}"' in metrics


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_prometheus_accepts_rules_scrape_settings_and_metrics(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with running(tmp_path) as proxy:
        metrics = ask(proxy.directory / "socket.control", "/metrics")
    for arguments in (
        ["rules", RULES],
        ["config", "--syntax-only", SAMPLES / "monitoring" / "scrape.yml"],
        ["metrics"],
    ):
        command = ["promtool", "check", *map(str, arguments)]
        subprocess.run(command, input=metrics, text=True, check=True, timeout=PATIENCE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_textfile_has_the_metrics_or_says_that_nothing_runs(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    collected = tmp_path / "collector"
    collected.mkdir()
    command = [SAMPLES / "monitoring" / "textfile", tmp_path / "socket.control", collected]
    with running(tmp_path):
        subprocess.run(command, check=True, timeout=PATIENCE)
        assert "tlsproxy_last_reload_successful 1\n" in (collected / "tlsproxy.prom").read_text()
    subprocess.run(command, check=True, timeout=PATIENCE)
    assert (collected / "tlsproxy.prom").read_text() == 'tlsproxy_up{mode="master"} 0\n'
    assert [each.name for each in collected.iterdir()] == ["tlsproxy.prom"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_unit_is_taken_by_this_systemd_without_a_complaint(tmp_path: Path, name: str) -> None:
    """Also by 252, which has no Type=notify-reload. Commands that are not here count as there."""
    for each in (*(SAMPLES / "systemd").iterdir(), *(SAMPLES / "monitoring").glob("*.*")):
        if each.suffix in (".service", ".timer", ".socket"):
            text = re.sub(r"^(Exec\w+=-?)/\S+", r"\1/bin/true", each.read_text(), flags=re.MULTILINE)
            (tmp_path / each.name).write_text(text)
    path = tmp_path / Path(name).name
    ended = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=PATIENCE)
    complaints = [line for line in ended.stderr.splitlines() if path.name in line or path.stem in line]
    assert complaints == []


def test_service_reports_readiness_and_is_reloaded_by_a_signal() -> None:
    unit = (SAMPLES / "systemd" / "tlsproxy.service").read_text()
    assert "\nType=notify\n" in unit
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in unit
    assert re.search(r"^ExecStartPre=-\S+/tlsproxy --check --chroot$", unit, re.MULTILINE)
