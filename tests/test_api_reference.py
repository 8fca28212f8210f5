"""The API reference: as the docstrings are, and nothing exported is without one."""

from __future__ import annotations

import importlib
import inspect
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = runpy.run_path(str(ROOT / "tools" / "make_api_reference.py"))


def test_api_reference_is_that_of_the_docstrings() -> None:
    written = {path.name: path.read_text() for path in (ROOT / "docs" / "api").iterdir()}
    assert written == GENERATOR["pages"](), "run tools/make_api_reference.py"


@pytest.mark.parametrize("package", GENERATOR["PACKAGES"])
def test_exported_names_have_docstrings(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        exported = getattr(module, name)
        public = [each for each in vars(exported) if not each.startswith("_")] if inspect.isclass(exported) else []
        methods = [vars(exported)[each] for each in public]
        for each in (exported, *(method for method in methods if inspect.isfunction(method))):
            assert inspect.getdoc(each), f"{package}: {each.__qualname__}"
