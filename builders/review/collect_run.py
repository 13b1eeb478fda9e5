"""Long work in a process of its own: it goes on when the browser is closed, can be stopped, leaves whole results."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from ..core.engine import fresh_processes

STOP_SECONDS = 3.0
"""How long a stopped process may take to end before it is killed."""
Tell = Callable[[float], None]
Work = Callable[[Any, str, Tell], str]
"""(options, a piece's name, tells the share done 0..1) -> what there is to say about it, or ""."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    kind: str = ""
    """What is made: scans or the collection."""
    running: bool = False
    done: int = 0
    total: int = 0
    piece: str = ""
    """What is being worked on: a video's path, or nothing."""
    share: float = 0.0
    """Of that piece, 0..1."""
    seconds: float = 0.0
    words: dict[str, str] = field(default_factory=dict)
    """What there is to say, by piece: why a video was left out, or what was written."""
    error: str = ""
    """Why the run ended before its time, or ""."""


class Run:
    """At most one run at a time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()
        self._process: Any = None
        self._stopped = False

    @property
    def progress(self) -> Progress:
        return self._progress

    def start(self, kind: str, work: Work, options: Any, pieces: list[str]) -> Progress:
        """Begin with these pieces. Raises ValueError while another run goes on, or for no pieces."""
        with self._lock:
            if self._progress.running:
                raise ValueError(f"{self._progress.kind} are being made already: wait for that, or stop it first")
            if not pieces:
                raise ValueError("no video to look at: mark one first, or all are done")
            context = fresh_processes()
            heard, told = context.Pipe(duplex=False)
            self._process = context.Process(
                target=_work_through, args=(work, options, pieces, told), name="facevox-collect", daemon=True
            )
            self._progress, self._stopped = Progress(kind, True, 0, len(pieces), pieces[0]), False
            self._process.start()
            told.close()
            threading.Thread(target=self._listen, args=(heard, self._process), daemon=True).start()
            return self._progress

    def stop(self) -> None:
        """End the run; what was finished stays. Does nothing without one."""
        with self._lock:
            process, self._stopped = self._process, True
        if process is not None and process.is_alive():
            process.terminate()
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()

    def _listen(self, heard: Connection, process: Any) -> None:
        whole = False
        for message in _messages(heard):
            whole = message == ("end",)
            if not whole:
                self._progress = _after(self._progress, message)
        process.join()
        error = ""
        if not whole and not self._stopped:
            where = f"{self._progress.piece} (exit code {process.exitcode})"
            error = f"the process ended at {where}, often for lack of memory"
        elif not whole:
            error = "stopped; what was finished is kept"
        self._progress = replace(self._progress, running=False, error=self._progress.error or error)

    def state(self) -> dict[str, Any]:
        """The progress as JSON."""
        return asdict(self._progress)


def _messages(heard: Connection) -> Iterator[tuple[Any, ...]]:
    while True:
        try:
            yield heard.recv()
        except (EOFError, OSError):
            return


def _after(progress: Progress, message: tuple[Any, ...]) -> Progress:
    kind, *rest = message
    if kind == "piece":
        return replace(progress, done=rest[0], piece=rest[1], share=0.0)
    if kind == "share":
        return replace(progress, share=rest[0], seconds=rest[1])
    if kind == "words":
        return replace(progress, words={**progress.words, rest[0]: rest[1]})
    if kind == "done":
        return replace(progress, done=rest[0], seconds=rest[1], share=1.0)
    return replace(progress, error=rest[0])


def _work_through(work: Work, options: Any, pieces: list[str], told: Connection) -> None:
    """In the process of its own: one piece after the other; what it says goes through the pipe."""
    import time

    import cv2

    # Ctrl-C in the terminal is for the server, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    began = time.monotonic()
    try:
        for number, piece in enumerate(pieces):
            told.send(("piece", number, piece))
            words = work(options, piece, lambda share: told.send(("share", share, time.monotonic() - began)))
            if words:
                told.send(("words", piece, words))
            told.send(("done", number + 1, time.monotonic() - began))
        told.send(("end",))
    except BrokenPipeError:
        # The server is gone: nobody would see what is found, and finished videos are on the disk.
        os._exit(1)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        told.send(("error", str(error)))
        told.send(("end",))
