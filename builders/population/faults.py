"""Damage to a forged release, byte by byte, with a list of what is lost."""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_STAMP = (2020, 1, 1, 0, 0, 0)
BOMB_BYTES = 2 << 30
"""What the archive bomb inflates to."""
GIANT_EDGE = 30_000
"""Width and height of the giant PNG."""


@dataclass(frozen=True)
class Fault:
    """One piece of damage."""

    name: str
    """Key in FAULTS."""
    archive: str
    """The damaged file, relative to the release."""
    member: str = ""
    """The damaged member of that archive, or the row of a table; empty when the whole file is."""
    lost: tuple[str, ...] = field(default=())
    """Members that can no longer be read as they were."""


Damage = Callable[[Path, Path, np.random.Generator], Fault]
"""(release, one archive or table of it, random) -> what was done; changes the file in place."""


def members(path: Path) -> list[str]:
    """Names of an archive's members, in order."""
    with zipfile.ZipFile(path) as file:
        return file.namelist()


def _stored(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as file:
        for entry in file.infolist():
            yield entry.filename, file.read(entry)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.external_attr = 0o644 << 16
    return entry


def rewrite(
    path: Path, change: Callable[[str, bytes], bytes | None], extra: tuple[tuple[str, bytes], ...] = ()
) -> None:
    """Write an archive anew: `change` gives a member's new bytes, None to leave it out; `extra` goes to the end."""
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:
        for name, data in _stored(path):
            changed = change(name, data)
            if changed is not None:
                file.writestr(_entry(name), changed)
        for name, data in extra:
            file.writestr(_entry(name), data)
    part.replace(path)


def _pick(path: Path, random: np.random.Generator, ending: str) -> str:
    """A member of an archive by chance, from its middle where there is one."""
    fit = [name for name in members(path) if name.endswith(ending)]
    if not fit:
        raise ValueError(f"{path}: expected a member ending in {ending!r}, found none. Take another archive.")
    return fit[int(random.integers(len(fit)))]


def _swap(release: Path, path: Path, kind: str, member: str, data: bytes | None) -> Fault:
    """Give one member other bytes, or remove it."""
    rewrite(path, lambda name, old: data if name == member else old)
    return Fault(kind, str(path.relative_to(release)), member, (member,))


def empty_zip(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """An archive of 0 bytes, like the hosted sub_2_io.zip."""
    lost = tuple(members(path))
    path.write_bytes(b"")
    return Fault("empty_zip", str(path.relative_to(release)), "", lost)


def truncated_zip(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """The download broke off: no central directory, so nothing can be listed."""
    lost = tuple(members(path))
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * random.uniform(0.4, 0.8)))
    return Fault("truncated_zip", str(path.relative_to(release)), "", lost)


def _directory(path: Path, member: str) -> int:
    """Byte place of a member's record in the central directory."""
    data = path.read_bytes()
    place = struct.unpack("<I", data[data.rindex(b"PK\x05\x06") + 16 :][:4])[0]
    while data[place : place + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack("<HHH", data[place + 28 : place + 34])
        if data[place + 46 : place + 46 + name] == member.encode():
            return int(place)
        place += 46 + name + extra + comment
    raise ValueError(f"{path}: expected {member!r} in the central directory, found none.")


def _patch(release: Path, path: Path, kind: str, member: str, change: tuple[int, bytes]) -> Fault:
    """Overwrite bytes of a member's central record at an offset inside it."""
    place = _directory(path, member) + change[0]
    with path.open("r+b") as file:
        file.seek(place)
        file.write(change[1])
    return Fault(kind, str(path.relative_to(release)), member, (member,))


def lying_offset(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """The central directory points into the middle of another member."""
    member = _pick(path, random, ".png")
    with zipfile.ZipFile(path) as file:
        true = file.getinfo(member).header_offset
    wrong = true + 1000 if true == 0 else true // 2 + 7
    return _patch(release, path, "lying_offset", member, (42, struct.pack("<I", wrong)))


def lying_name(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """Central and local name of a member differ."""
    member = _pick(path, random, ".png")
    other = member.replace("trial_", "trail_").encode()
    return _patch(release, path, "lying_name", member, (46, other))


def lying_size(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """The central directory promises fewer bytes than the member has."""
    member = _pick(path, random, ".png")
    with zipfile.ZipFile(path) as file:
        size = file.getinfo(member).file_size
    return _patch(release, path, "lying_size", member, (20, struct.pack("<II", size // 2, size // 2)))


def short_png(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A picture that ends in the middle of its pixels."""
    member = _pick(path, random, ".png")
    with zipfile.ZipFile(path) as file:
        data = file.read(member)
    return _swap(release, path, "short_png", member, data[: len(data) // 2])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zeros(count: int) -> bytes:
    """Raw deflate data of `count` (at least 1 MiB) zero bytes: one packed block over and over, in no time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(_BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    return block * (count >> 20) + rest.compress(bytes(count & 0xFFFFF)) + rest.flush()


def flat_png(width: int, height: int) -> bytes:
    """A valid black 8-bit grey PNG of any size; its pixels are never in memory."""
    count = (1 + width) * height
    # The check sum of n zeros: the low half stays 1, the high half counts them.
    body = b"\x78\xda" + _zeros(count) + struct.pack(">I", (count % 65521) << 16 | 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def wrong_size_png(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A readable picture of another size than its stream's."""
    return _swap(release, path, "wrong_size_png", _pick(path, random, ".png"), flat_png(100, 50))


def text_as_png(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A download error page under the name of a picture."""
    page = b"<html><body>403 Forbidden: the quota of this file is used up</body></html>\n"
    return _swap(release, path, "text_as_png", _pick(path, random, ".png"), page)


def giant_png(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A picture of 30,000 x 30,000 pixels in 0.9 MB: 2.7 GB once decoded to three channels."""
    return _swap(release, path, "giant_png", _pick(path, random, ".png"), flat_png(GIANT_EDGE, GIANT_EDGE))


def missing_wav(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """One microphone has no file."""
    return _swap(release, path, "missing_wav", _pick(path, random, ".wav"), None)


def empty_wav(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A header and no samples."""
    member = _pick(path, random, ".wav")
    with zipfile.ZipFile(path) as file:
        head = bytearray(file.read(member)[:44])
    head[4:8], head[40:44] = struct.pack("<I", 36), struct.pack("<I", 0)
    return _swap(release, path, "empty_wav", member, bytes(head))


def unequal_microphones(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """The second microphone stopped a third earlier."""
    member = _pick(path, random, "_2.wav")
    with zipfile.ZipFile(path) as file:
        data = file.read(member)
    keep = (len(data) - 44) // 3 * 2 // 2 * 2
    head = data[:4] + struct.pack("<I", 36 + keep) + data[8:40] + struct.pack("<I", keep)
    return _swap(release, path, "unequal_microphones", member, head + data[44 : 44 + keep])


def missing_frames(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """Frames 2 and 3 of one clip are gone in all three streams."""
    stem = _pick(path, random, "_2_1.png").rsplit("/", 1)[1][: -len("_2_1.png")]
    places = {f"{stem}_{frame}_{stream}.png" for frame in (2, 3) for stream in (1, 2, 3)}
    gone = tuple(name for name in members(path) if name.rsplit("/", 1)[1] in places)
    rewrite(path, lambda name, data: None if name in gone else data)
    return Fault("missing_frames", str(path.relative_to(release)), gone[0], gone)


def rows_without_files(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A command-table row whose utterance is not in the archive (`path` is the table)."""
    text = path.read_text(encoding="utf-8").rstrip("\r\n")
    row = "open the missing door,1296,1,open the missing door,0,0,0,2"
    path.write_bytes((text + "\n" + row + "\n").replace("\r\n", "\n").replace("\n", "\r\n").encode())
    return Fault("rows_without_files", str(path.relative_to(release)), row, ())


def files_without_rows(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A command-table row is gone while its files are there (`path` is the table)."""
    lines = path.read_text(encoding="utf-8").splitlines()
    row = lines.pop(int(random.integers(1, len(lines))))
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    return Fault("files_without_rows", str(path.relative_to(release)), row, ())


def duplicate_members(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """One name twice in an archive, with other bytes the second time."""
    member = _pick(path, random, "_1.png")
    other = next(name for name in members(path) if name.endswith("_1.png") and name != member)
    with zipfile.ZipFile(path) as file:
        data = file.read(other)
    _append(path, member, data)
    return Fault("duplicate_members", str(path.relative_to(release)), member, (member,))


def _append(path: Path, member: str, data: bytes) -> None:
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as file:
        warnings.simplefilter("ignore", UserWarning)
        file.writestr(_entry(member), data)


def climbing_names(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """Members that would be written outside: up the tree and to an absolute place. Nothing real is lost."""
    for name in ("../../climbed.png", "/tmp/climbed.png"):
        _append(path, name, b"outside")
    return Fault("climbing_names", str(path.relative_to(release)), "../../climbed.png", ())


def archive_bomb(release: Path, path: Path, random: np.random.Generator) -> Fault:
    """A picture's name on a member of about 2 MB that inflates to 2 GB."""
    member = _pick(path, random, ".png")
    rewrite(path, lambda name, data: None if name == member else data)
    packed, check = _zeros(BOMB_BYTES), 0
    for _ in range(BOMB_BYTES >> 20):
        check = zlib.crc32(_BLOCK, check)
    _append(path, member, packed)
    with zipfile.ZipFile(path) as file:
        local = file.getinfo(member).header_offset
    facts = struct.pack("<III", check, len(packed), BOMB_BYTES)
    with path.open("r+b") as raw:
        for place in (local + 8, _directory(path, member) + 10):
            raw.seek(place)
            raw.write(struct.pack("<H", zipfile.ZIP_DEFLATED))
            raw.seek(place + 6)
            raw.write(facts)
    return Fault("archive_bomb", str(path.relative_to(release)), member, (member,))


_BLOCK = bytes(1 << 20)
ON_TABLES = ("rows_without_files", "files_without_rows")
"""Faults that take a command table; the others take an archive."""
ON_SOUND = ("missing_wav", "empty_wav", "unequal_microphones")
"""Faults that need an image_audio archive."""
_KINDS: tuple[Damage, ...] = (
    empty_zip, truncated_zip, lying_offset, lying_name, lying_size, short_png, wrong_size_png, text_as_png, giant_png,
    missing_wav, empty_wav, unequal_microphones, missing_frames, rows_without_files, files_without_rows,
    duplicate_members, climbing_names, archive_bomb,
)  # fmt: skip
FAULTS: dict[str, Damage] = {getattr(kind, "__name__", ""): kind for kind in _KINDS}
"""Every kind of damage by name."""


def damage(release: Path, out: Path, seed: int, names: tuple[str, ...] = tuple(FAULTS)) -> list[Fault]:
    """Copy a forged zip release to `out` and plant the named faults, each on a file of its own where there are enough.

    Whole-archive faults strike archives that carry no other fault; returns what was done, in the order of `names`.
    """
    release, out = Path(release), Path(out)
    shutil.copytree(release, out)
    random = np.random.default_rng([seed, 99])
    sound, stills = (sorted(out.glob(pattern)) for pattern in ("image_audio/*.zip", "image_only/*.zip"))
    tables = sorted(out.glob("metadata/commands/*.csv"))
    if not sound or not tables:
        raise ValueError(f"{release}: expected a release with zip archives and command tables, found none.")
    whole = [name for name in names if name in ("empty_zip", "truncated_zip")]
    order = [sound[place] for place in random.permutation(len(sound))]
    spare = stills + (order[:-1] if len(order) > 1 else [])
    doomed = dict(zip(whole, spare, strict=False))
    order = [path for path in order if path not in doomed.values()]
    found = {}
    # A rewrite would unpack the bomb and mend tricks on the raw directory: those come last.
    late = ("archive_bomb", "duplicate_members", "climbing_names", "lying_name", "lying_size", "lying_offset")
    for place, name in enumerate(sorted(names, key=lambda name: late.index(name) + 1 if name in late else 0)):
        path = tables[place % len(tables)] if name in ON_TABLES else doomed.get(name, order[place % len(order)])
        found[name] = FAULTS[name](out, path, random)
    return [found[name] for name in names]
