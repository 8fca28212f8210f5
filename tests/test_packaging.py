"""What is installed is what users get, not what happens to lie in the checkout."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif("TLSPROXY_TEST_INSTALLED" not in os.environ, reason="an editable install; make test uses the wheel")
@pytest.mark.parametrize("package", ["postconf", "maps", "tlsproxy"])
def test_tests_see_the_installed_wheel_and_not_the_checkout(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert not Path(spec.origin).is_relative_to(CHECKOUT / package)


@pytest.mark.parametrize("package", ["postconf", "maps", "tlsproxy"])
def test_packages_declare_their_types(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").exists()


def test_every_installed_script_can_be_loaded() -> None:
    scripts = importlib.metadata.distribution("tlsproxy").entry_points.select(group="console_scripts")
    for script in scripts:
        assert callable(script.load())
