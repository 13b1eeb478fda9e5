"""What a place answers when it is asked for bytes: these, or why there are none."""

import os
import re
from dataclasses import dataclass

SILENT_SECONDS = 8
"""A connection that sends nothing for so long is given up."""
REQUEST_SECONDS = 30.0
SLOWEST = 10_000
"""A request is given up that has brought less than so many bytes for every second after the first REQUEST_SECONDS.

Over http(s) this is seen once the answer's headers have come; before, SILENT_SECONDS alone counts."""

ABOVE_FOLDERS = {"NoSuchBucket": "bucket", "ContainerNotFound": "container", "FilesystemNotFound": "container"}
"""What S3 and Azure say of what all folders of a place lie in, when it does not exist."""

Span = tuple[int, int] | None
"""First byte and size of what is asked for; None for the whole file."""


@dataclass(frozen=True)
class Answer:
    """Bytes as they came, and what the server says about the whole file: its size, and a tag of its content."""

    data: bytes
    total: int | None = None
    tag: str = ""


@dataclass(frozen=True)
class Fault:
    """Why there are no bytes; `again` when another try may help, after `wait` seconds if the server says so."""

    text: str
    again: bool
    wait: float = 0.0
    absent: bool = False
    """Whether the file is not there."""
    denied: bool = False
    """Whether permission is what lacks."""


def too_slow() -> Fault:
    """Of a request that was given up."""
    return Fault(f"slower than {SLOWEST:,} bytes/s for more than {REQUEST_SECONDS:g} s", True)


def refused(status: int, after: str) -> Fault | None:
    """What a status means; None for one that brings bytes."""
    if status in (200, 206):
        return None
    if status in (404, 410):
        return Fault(f"HTTP {status}: it is not there", False, absent=True)
    if status in (401, 403):
        return Fault(f"HTTP {status}: no permission; give the place its credentials", False, denied=True)
    if status == 416:
        return Fault("HTTP 416: it ends before the bytes asked for, so it is cut short or was changed", False)
    wait = float(after) if after.isdecimal() else 0.0
    return Fault(f"HTTP {status}", status in (408, 425, 429) or status >= 500, wait)


def fault_of(error: BaseException) -> Fault:
    """What an exception of a filesystem means, in words that cannot hold a secret: its kind and its code."""
    cause = error.__cause__ or error
    response = getattr(cause, "response", None)
    told = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    told = told or str(getattr(cause, "error_code", None) or "")
    code = f" {told}" if re.fullmatch(r"[A-Za-z0-9.]{1,40}", told) else ""
    if told in ABOVE_FOLDERS:
        advice = "check its name and the endpoint, or make it first"
        return Fault(f"the {ABOVE_FOLDERS[told]} is not there ({told}); {advice}", False)
    if isinstance(error, FileNotFoundError):
        return Fault(f"it is not there{code}", False, absent=True)
    if fault := refused(getattr(response, "status_code", 200), ""):
        return fault
    name = type(error).__name__
    if isinstance(error, PermissionError) or "Credentials" in name:
        return Fault(f"no permission ({name}{code}); give the place its credentials", False, denied=True)
    if "InvalidRange" in told:
        return Fault("it ends before the bytes asked for, so it is cut short or was changed", False)
    if isinstance(error, TimeoutError):
        return Fault(f"no answer within {SILENT_SECONDS} s", True)
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
    return Fault(f"{name}{code}{': ' + why if why else ''}", True)
