"""What the VFMR paper says of Chinese_VF and its collection tool that arithmetic contradicts or leaves open."""

from ..rows import Rows
from ..tabulate import Table
from . import Erratum, inconsistencies


def _windows(rows: Rows) -> str | None:
    voices = rows.where(config="voices")
    spans = [(end - start) / 1000 for start, end in voices.together("start_ms", "end_ms") if end is not None]
    return f"{len(spans):,} windows of {min(spans):g} to {max(spans):g} s" if spans else None


def _networks(rows: Rows) -> str | None:
    names = {name for fact in ("detector", "face_embedder", "voice_embedder") for name in rows.known(fact)}
    return ", ".join(sorted(name.split(" ")[0] for name in names)) or None


def _thresholds(rows: Rows) -> str | None:
    told = [f"{fact} {value:g}" for fact in ("tau_face", "tau_voice") for value in sorted(set(rows.known(fact)))]
    return ", ".join(told) or None


def _of_one_video(rows: Rows) -> str | None:
    faces = rows.where(config="faces")
    videos = len(set(faces.together("identity", "video_id")))
    return f"{len(faces):,} faces of {videos:,} videos" if videos else None


ERRATA: tuple[Erratum, ...] = (
    ("Chinese_VF has 0.29M audio clips, says the abstract.", "296,269, which rounds to 0.30M.", None),
    ("MTCNN is cited as reference 7.", "That is MS-Celeb-1M; MTCNN is 31.", None),
    ("The networks that score faces and voices are not named.", "Any can be used here; a score is of one network and "
     "says nothing beside another's.", _networks),
    ("Two thresholds keep high-quality data.", "Their values are not given.", _thresholds),
    ("Algorithm 1 grows windows by s and stops them at s_max.", "s is not defined (s_step is meant), s_max is never "
     "used: a window could grow without limit.", _windows),
    ("Algorithm 1 extracts and records detected windows.", "It records every window, those of a score below the "
     "threshold too, and begins anew at their end, where a beginning inside is cut.", None),
    ("Algorithm 1 runs while the window ends before the track.", "The last window is lost.", None),
    ("Seen-heard tests use unused examples.", "Faces of one video are near-duplicates; here whole videos are held "
     "out.", _of_one_video),
    ("VFMR3 is tested with n = 3.72M and T = 2502.", "N = 500 and that n give T = 1,351.0; n = 37.2M gives 2,502.3.",
     None),
    ("VFMR4 is tested with n = 3.72M and T = 823.", "N = 100 and that n give T = 592.9; n = 37.2M gives 823.2.", None),
    ("VFMR3 retrieves with 500 x 40 = 20k queries.", "One gallery holds 100 people: five galleries are needed.", None),
)  # fmt: skip
"""Statement, what is so, and what holds it against a folder; numbered from 1 in this order."""


def errata(rows: Rows) -> Table:
    """All of them; the last cell is what the folder says, None where it cannot tell."""
    return inconsistencies(ERRATA, rows)
