"""Tables of a configuration: opened once, and answers with their table and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from mail.fixtures import MakeConfig, MakeView

import maps
from maps import Access, Flags, TemporaryLookupError
from maps.memory import MemoryTable
from postconf import ConfigError, Place
from tlsproxy.mail.lookup import Order
from tlsproxy.mail.tables import TableLookupError, Tables


def test_answer_names_parameter_table_key_and_line(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("# comment\nother@example.com x\nJoe@example.com\n  jane@example.com\n")
    view = make_view(virtual_alias_maps=f"inline:{{a=b}}, texthash:{path}")
    found = view.maps("virtual_alias_maps").find("JOE@example.com")
    assert (found.value, found.key, found.parameter) == ("jane@example.com", "JOE@example.com", "virtual_alias_maps")
    assert found.table == f"texthash:{path}"
    assert found.place == Place(str(path), 3)


def test_answer_of_an_indexed_table_has_the_source_line(make_view: MakeView, tmp_path: Path) -> None:
    source = tmp_path / "t"
    source.write_text("a 1\n\nb 2\n")
    with maps.open_table(f"hash:{source}", Access(maps.Mode.BUILD)) as table:
        table.update(b"b", b"2")
    found = make_view(relocated_maps=f"hash:{source}").maps("relocated_maps").find("B")
    assert found.place == Place(str(source), 3)
    source.unlink()
    found = make_view(relocated_maps=f"hash:{source}").maps("relocated_maps").find("b")
    assert found.place is None


RULES = {
    "pcre": ("# rules\n/^a/ 1\nif /b/\n/^b(.*)/\n  $1\nendif\n/./ last\n", {"ax": 2, "bx": 4, "z": 7}),
    "regexp": ("/^a/ 1\n!/b/ 2\n/b/!/c/ 3\n", {"a": 1, "x": 2, "bx": 3}),
    "cidr": ("10.1.0.0/16 a\n10.0.0.0/8 b\n!192.0.2.0/24 c\n", {"10.1.2.3": 1, "10.2.0.0": 2, "8.8.8.8": 3}),
}


@pytest.mark.parametrize("kind", RULES)
def test_answer_of_a_rule_has_its_line(make_view: MakeView, tmp_path: Path, kind: str) -> None:
    text, lines = RULES[kind]
    path = tmp_path / "rules"
    path.write_text(text)
    rules = make_view(canonical_maps=f"{kind}:{path}").maps("canonical_maps")
    assert {key: rules.find(key).place for key in lines} == {key: Place(str(path), line) for key, line in lines.items()}


def test_rule_behind_many_others_has_its_line(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("".join(f"/^key{number}$/ value{number}\n" for number in range(1, 101)))
    rules = make_view(canonical_maps=f"pcre:{path}").maps("canonical_maps")
    places = [rules.find(f"key{number}").place.line for number in range(1, 101)]
    assert places == list(range(1, 101))


def test_answer_of_rules_in_the_setting_has_no_line(make_view: MakeView) -> None:
    assert make_view(canonical_maps="pcre:{{/a/ b}}").maps("canonical_maps").find("a").place is None


def test_table_is_opened_once_for_all_parameters(make_config: MakeConfig) -> None:
    opened = []

    def opener(name: str, access: Access) -> MemoryTable:
        opened.append(name)
        table = MemoryTable("memory", name, access)
        table.update(b"key", b"value")
        return table

    config = make_config(canonical_maps="memory:x", relocated_maps="memory:x memory:y")
    with Tables(config, opener=opener) as tables:
        assert tables.maps("canonical_maps").find("key").value == "value"
        assert tables.maps("relocated_maps").find("key").value == "value"
        assert tables.maps("relocated_maps").find("none") is None
    assert opened == ["memory:x", "memory:y"]


def test_missing_table_fails_at_lookup_with_a_reason(make_view: MakeView, tmp_path: Path) -> None:
    heard: list[str] = []
    tables = make_view(warn=heard.append, canonical_maps=f"texthash:{tmp_path}/none").maps("canonical_maps")
    with pytest.raises(TableLookupError) as caught:
        tables.find("a@b")
    assert caught.value.parameter == "canonical_maps"
    assert caught.value.table == f"texthash:{tmp_path}/none"
    assert caught.value.key == "a@b"
    assert "No such file or directory" in caught.value.reason
    assert any("No such file" in each for each in heard)


def test_empty_value_is_a_failure(make_view: MakeView) -> None:
    with pytest.raises(TableLookupError, match="empty string"):
        make_view(canonical_maps="regexp:{{/a/}}").maps("canonical_maps").find("a")


def test_name_without_type_is_an_error_with_its_place(make_view: MakeView, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make_view(canonical_maps="nothing").maps("canonical_maps")
    assert caught.value.place.path == str(tmp_path / "main.cf")
    assert 'instead of "nothing"' in caught.value.message


def test_partial_key_is_not_for_patterns(make_view: MakeView) -> None:
    tables = make_view(transport_maps="regexp:{{/./ pattern}}").maps("transport_maps")
    assert tables.find("example.com", partial=True) is None
    assert tables.find("example.com").value == "pattern"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that memory tables are asked for."""
    keys: list[str] = []

    class Silent(MemoryTable):
        def lookup(self, key: bytes) -> None:
            keys.append(key.decode())

    monkeypatch.setattr(
        "maps.drivers.builtin.internal.open_table", lambda name, access: Silent("internal", name, access)
    )
    return keys


MAIL_KEYS = ["joe+x@example.com", "joe@example.com", "@example.com"]


@pytest.mark.parametrize(
    ("address", "order", "parents", "keys"),
    [
        ("joe+x@example.com", Order.MAIL, True, MAIL_KEYS),
        ("joe+x@localhost", Order.MAIL, True, ["joe+x@localhost", "joe@localhost", "joe+x", "joe", "@localhost"]),
        ("joe@[127.0.0.1]", Order.MAIL, True, ["joe@[127.0.0.1]", "joe", "@[127.0.0.1]"]),
        ("a b@d.org", Order.MAIL, True, ['"a b"@d.org', "a b@d.org", "@d.org"]),
        ("joe", Order.MAIL, True, ["joe"]),
        ("joe+x@a.b.c", Order.DOMAINS, True, ["joe+x@a.b.c", "joe@a.b.c", "a.b.c", "b.c", "c"]),
        ("joe@a.b.c", Order.DOMAINS, False, ["joe@a.b.c", "a.b.c", ".b.c", ".c"]),
        ("joe+x@b.c", Order.ACCESS, False, ["joe+x@b.c", "joe@b.c", "b.c", ".c", "joe+x@", "joe@"]),
    ],
)
def test_address_is_looked_up_by_these_keys(
    make_view: MakeView, asked: list[str], address: str, order: Order, parents: bool, keys: list[str]
) -> None:
    view = make_view(recipient_delimiter="+", relocated_maps="internal:x")
    assert view.addresses.find(view.maps("relocated_maps"), address, order, parents=parents) is None
    assert asked == keys


def test_unmatched_extension_comes_with_the_answer(make_view: MakeView) -> None:
    view = make_view(recipient_delimiter="+", relocated_maps="inline:{joe@d.org=1, jane+x@d.org=2, @e.org=3, root=4}")
    tables = view.maps("relocated_maps")
    answers = [
        view.addresses.find(tables, each) for each in ("joe+x@d.org", "jane+x@d.org", "joe+x@e.org", "root+y@localhost")
    ]
    assert [(each.found.value, each.extension) for each in answers] == [("1", "+x"), ("2", ""), ("3", ""), ("4", "+y")]


def test_failing_mydestination_fails_the_lookup(make_view: MakeView) -> None:
    view = make_view(mydestination="fail:x", relocated_maps="inline:{a=b}")
    with pytest.raises(TableLookupError) as caught:
        view.addresses.find(view.maps("relocated_maps"), "joe@example.org")
    assert caught.value.parameter == "mydestination"


def test_fixed_tables_say_so(make_view: MakeView) -> None:
    assert make_view(relocated_maps="inline:{a=b}").maps("relocated_maps").tables.tables[0].flags & Flags.FIXED


def test_files_are_found_again_after_close(make_view: MakeView, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a b\n")
    view = make_view(relocated_maps=f"texthash:{tmp_path}/t")
    assert view.maps("relocated_maps").find("a").value == "b"
    view.close()
    assert view.maps("relocated_maps").find("a").value == "b"


def test_proxied_table_is_opened_without_proxymap(make_view: MakeView, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a b\n")
    found = make_view(virtual_alias_maps=f"proxy:texthash:{tmp_path}/t").maps("virtual_alias_maps").find("A")
    assert (found.value, found.table, found.place.line) == ("b", f"proxy:texthash:{tmp_path}/t", 1)


def test_proxied_table_that_is_not_approved_is_an_error(make_view: MakeView, tmp_path: Path) -> None:
    table = f"proxy:texthash:{tmp_path}/t"
    with pytest.raises(ConfigError, match="proxymap service is not configured for table"):
        make_view(virtual_alias_maps=table, proxy_read_maps="$canonical_maps").maps("virtual_alias_maps")


def test_slow_failure_is_not_waited_for_again(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Slow(MemoryTable):
        def lookup(self, key: bytes) -> bytes | None:
            asked.append(key)
            raise TemporaryLookupError("no answer")

    times = iter((0.0, 9.0))
    monkeypatch.setattr("tlsproxy.mail.tables.time.monotonic", lambda: next(times))
    config = make_config(canonical_maps="memory:x")
    with Tables(config, opener=lambda name, access: Slow("memory", name, access)) as tables:
        for key in ("a", "b"):
            with pytest.raises(TableLookupError, match="no answer"):
                tables.maps("canonical_maps").find(key)
    assert asked == [b"a"]
