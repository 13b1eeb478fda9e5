"""Which samples a number is over: a frozen list of keys with a digest that is printed beside the number."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True)
class Protocol:
    """Sample keys in sorted order; two numbers are comparable when their digests are equal."""

    name: str
    keys: tuple[str, ...]

    @classmethod
    def of(cls, name: str, keys: Iterable[str]) -> "Protocol":
        """A protocol over these keys. Raises ValueError when a key comes twice or there is none."""
        listed = sorted(map(str, keys))
        if not listed or len(set(listed)) != len(listed):
            raise ValueError(f"protocol {name}: {len(listed)} keys, {len(set(listed))} different; expected each once")
        return cls(name, tuple(listed))

    @property
    def digest(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the keys, one a line."""
        return sha256("\n".join(self.keys).encode()).hexdigest()[:12]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"name": self.name, "digest": self.digest, "keys": self.keys}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Protocol":
        """Read what `save` wrote. Raises ValueError when keys and digest do not agree."""
        content = json.loads(path.read_text())
        protocol = cls.of(content["name"], content["keys"])
        if protocol.digest != content["digest"]:
            raise ValueError(f"{path}: digest {content['digest']} written, keys give {protocol.digest}; it was edited")
        return protocol

    def difference(self, other: "Protocol") -> str:
        """In words what two protocols do not share; empty when equal."""
        lacking, extra = sorted({*self.keys} - {*other.keys}), sorted({*other.keys} - {*self.keys})
        words = [f"lacks {lacking[0]} and {len(lacking) - 1} more"] if lacking else []
        words += [f"has {extra[0]} and {len(extra) - 1} more that do not belong"] if extra else []
        return ", ".join(words)
