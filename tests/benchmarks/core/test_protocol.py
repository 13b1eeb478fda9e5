"""Protocols: frozen, digested, and exact about what differs."""

import pytest
from facevox.benchmarks.core.protocol import Protocol


def test_the_digest_depends_on_keys_alone(tmp_path):
    protocol = Protocol.of("test", ["b", "a"])
    assert protocol.keys == ("a", "b")
    assert protocol.digest == Protocol.of("other", ["a", "b"]).digest != Protocol.of("test", ["a", "c"]).digest
    protocol.save(tmp_path / "p.json")
    assert Protocol.load(tmp_path / "p.json") == protocol


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(ValueError, match="protocol test: 2 keys, 1 different"):
        Protocol.of("test", ["a", "a"])
    with pytest.raises(ValueError, match="0 keys"):
        Protocol.of("test", [])
    Protocol.of("test", ["a"]).save(tmp_path / "p.json")
    (tmp_path / "p.json").write_text((tmp_path / "p.json").read_text().replace('"a"', '"b"'))
    with pytest.raises(ValueError, match="it was edited"):
        Protocol.load(tmp_path / "p.json")
    whole = Protocol.of("x", "abc")
    assert whole.difference(Protocol.of("y", "bcd")) == "lacks a and 0 more, has d and 0 more that do not belong"
    assert whole.difference(whole) == ""
