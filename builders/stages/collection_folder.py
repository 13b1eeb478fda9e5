"""The collection folder of Chinese_VF put together: tables, ground truths, configuration (spec sheet, section 1.4)."""

import csv
import io
import json
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...loaders.durable import PART, sync_folder, write_bytes, written_aside
from .collection_options import CollectOptions
from .collection_scan import HIDDEN, read_scan
from .collection_scores import Threshold
from .collection_truth import GroundTruth
from .collection_video import FACE, VOICE, Decided, decided_folder
from .collection_videos import REFUSED, Refusal, SourceVideo
from .marks import Marks
from .voice_face_facts import FORGED_MARK

CONFIG = "config.json"
"""Written last: a collection that has it is whole."""
SPEAKERS = ("speaker_id", "gender", "n_videos", "n_segments", "n_faces", "fold")
VIDEOS = ("video_id", "speaker_id", "source", "duration_s", "fps", "gt_start_s", "gt_end_s")
OWN = ("meta", "ground_truth", "voice", "face", "candidates", CONFIG, FORGED_MARK, HIDDEN)
"""Everything at the top of a collection."""


def check_place(options: CollectOptions) -> None:
    """Raise ValueError where the collection's place holds something else, or is the folder of videos."""
    out, videos = options.out.resolve(), options.videos.resolve()
    if out == videos or videos in out.parents or out in videos.parents:
        raise ValueError(f"{options.out}: expected a place outside of the folder of videos, which is never written to")
    if not options.out.exists():
        return
    foreign = sorted(path.name for path in options.out.iterdir() if path.name not in OWN)
    if foreign or (any(options.out.iterdir()) and not (options.out / HIDDEN).is_dir()):
        what = f"holds {foreign[0]!r}" if foreign else f"has no {HIDDEN}"
        raise ValueError(f"{options.out}: {what}, expected a new or empty folder, or a collection to resume")


def write_truth(options: CollectOptions, truth: GroundTruth) -> None:
    """Screenshots and periods of a speaker in place of what was there."""
    folder = options.out / "ground_truth" / truth.speaker
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    for name, data in truth.files.items():
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        (part / name).write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    sync_folder(folder.parent)


def assign_folds(genders: Mapping[str, str], folds: int, seed: int) -> dict[str, int]:
    """Speaker -> fold from 0: the ids of each gender shuffled, then dealt out in turn, so that folds have equally many
    speakers, and of each gender, up to one. The paper divides 500 into five (VFMR4)."""
    dealt, following = {}, 0
    for gender in sorted(set(genders.values())):
        ids = sorted(speaker for speaker, own in genders.items() if own == gender)
        random.Random(f"{seed} {gender}").shuffle(ids)
        for speaker in ids:
            dealt[speaker] = following % folds
            following += 1
    return dealt


def write_tables(
    options: CollectOptions,
    decided: Mapping[str, tuple[SourceVideo, Decided]],
    refused: Sequence[Refusal],
    marks: Marks,
) -> dict[str, int]:
    """meta/ and candidates/ of all decided videos (by key); returns each kept speaker's fold."""
    kept = {key: one for key, one in sorted(decided.items()) if not one[1].refused}
    genders = {video.speaker: video.gender for video, _ in kept.values()}
    folds = assign_folds(genders, options.folds, options.seed)
    rows = []
    for speaker in sorted(genders):
        own = [what for video, what in kept.values() if video.speaker == speaker]
        counts = (len(own), sum(what.segments for what in own), sum(what.faces for what in own))
        rows.append((speaker, genders[speaker], *counts, folds[speaker]))
    _write_table(options.out / "meta/speakers.csv", SPEAKERS, rows)
    _write_table(
        options.out / "meta/videos.csv", VIDEOS, (_video_row(options, video, marks) for video, _ in kept.values())
    )
    places = [decided_folder(options, video) for _, (video, _) in sorted(decided.items())]
    for name, columns in (("voice.csv", VOICE), ("face.csv", FACE)):
        with written_aside(options.out / "candidates" / name) as part, part.open("wb") as file:
            file.write((",".join(columns) + "\n").encode())
            for place in places:
                with (place / name).open("rb") as rows_of_one:
                    shutil.copyfileobj(rows_of_one, file)
    _write_table(options.out / "candidates/refused.csv", REFUSED, (one.row().values() for one in refused))
    return folds


def _video_row(options: CollectOptions, video: SourceVideo, marks: Marks) -> tuple[object, ...]:
    scan = read_scan(options, video)
    assert scan is not None
    period = marks.of(video.path).period
    span = ("", "") if period is None else (f"{period.start_ms / 1000:.3f}", f"{period.end_ms / 1000:.3f}")
    source = f"file {video.digest}"
    return video.video_id, video.speaker, source, f"{scan.facts.seconds:.3f}", f"{scan.facts.fps:.3f}", *span


def _write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_bytes(path, held.getvalue().encode())


def remove_others(options: CollectOptions, truths: Iterable[str], videos: Iterable[str]) -> None:
    """Take away what earlier runs kept and this one does not: speakers' ground truths, and videos by key."""
    speakers, keys = set(truths), set(videos)
    for path in _folders(options.out / "ground_truth"):
        if path.name not in speakers:
            shutil.rmtree(path)
    for kind in ("face", "voice"):
        for speaker in _folders(options.out / kind):
            for path in _folders(speaker):
                if f"{speaker.name}/{path.name}" not in keys:
                    shutil.rmtree(path)
            if not any(speaker.iterdir()):
                speaker.rmdir()


def _folders(path: Path) -> list[Path]:
    return [inner for inner in sorted(path.iterdir()) if inner.is_dir()] if path.is_dir() else []


def write_config(options: CollectOptions, face: Threshold, voice: Threshold) -> None:
    """All parameters, networks by content, thresholds and how they came about; and the mark of forged people."""
    mark = options.videos / FORGED_MARK
    if mark.is_file():
        write_bytes(options.out / FORGED_MARK, mark.read_bytes())
    else:
        (options.out / FORGED_MARK).unlink(missing_ok=True)
    thresholds = {
        name: {"value": one.value, "how": one.how, "others": len(one.others), "others_passing": round(one.passing, 6)}
        for name, one in (("face", face), ("voice", voice))
    }
    config: dict[str, Any] = {"parameters": options.parameters(), "thresholds": thresholds}
    write_bytes(options.out / CONFIG, (json.dumps(config, indent=1, sort_keys=True) + "\n").encode())
