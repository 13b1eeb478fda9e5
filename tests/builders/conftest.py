"""A tiny release in VoxCeleb's layouts: tables' rows, wav, m4a and face tracks of a forged voice; forged videos."""

import io
import json
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from facevox.builders.population.chinese_vf import ForgeOptions, forge
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE, speak
from facevox.loaders.resample import resample

VOX1 = (
    "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
    "id10002\tZoe\u0308_Kravitz\tf\tUSA\tdev\n"
    "id10270\tEartha_Kitt\tf\tUSA\ttest\n"
)
VOX2 = (
    "Class_ID,Name,Sample_Num,Flag,Gender_x,VoxCeleb2ID,VGGFace2ID,Gender_y,Set\n"
    "n000012,Aaron_Ashmore,382,1,m,id00012,n000012,m,dev\n"
    "n003346,Eartha_Kitt,455,0,f,id03347,n003346,f,test\n"
    "n000016,\u017dydr\u016bnas_Savickas,449,1,m,id00017,n000016,m,dev\n"
)
TRACK = "Identity  : \tid10001\nReference : \t1zcIwhmdeo4\nOffset    : \t-3\nFV Conf   : \t16.5\nASD Conf  : \t4.25\n\n"
TRACK += "FRAME \tX \tY \tW \tH \n000245 \t10 \t20 \t50 \t50 \n000246 \t10 \t20 \t50 \t50 \n"


def wav(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, 16_000, format="WAV", subtype="PCM_16")
    return out.getvalue()


def m4a(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="ipod") as container:
        track = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return out.getvalue()


@dataclass(frozen=True)
class VoxCeleb:
    """Files by place: two speakers of vox1, one of vox2, one whose name both tables have, one who has no row."""

    said: np.ndarray
    """(40000,) int16: what most of the recordings hold."""
    tables: dict[str, bytes]
    recordings: dict[str, bytes]
    tracks: dict[str, bytes]


@pytest.fixture(scope="session")
def voxceleb() -> VoxCeleb:
    voice = speak(draw(0, 3, "Female"), "turn on the kitchen light please", round(2.5 * RATE), np.random.default_rng(1))
    said = resample(np.rint(voice * 20_000).astype(np.int16), RATE, 16_000)[:40_000]
    recordings = {
        "wav/id10001/1zcIwhmdeo4/00001.wav": wav(said),
        "wav/id10001/1zcIwhmdeo4/00002.wav": wav(np.zeros(32_000, np.int16)),
        "wav/id10001/-_cIwhmdeo4/00001.wav": wav(said)[:-700],
        "wav/id10270/5r0dWxy17C8/00009.wav": wav(said[:32_000]),
        "wav/id10009/5r0dWxy17C8/00009.wav": wav(said),
        "wav/id10009/notes.wav": b"",
        "aac/id00017/01dfn2spqyE/00001.m4a": m4a(said),
        "aac/id03347/01dfn2spqyE/00001.m4a": m4a(said),
    }
    tracks = {
        "txt/id10001/1zcIwhmdeo4/00001.txt": TRACK.encode(),
        "txt/id10270/5r0dWxy17C8/00009.txt": TRACK.encode(),
    }
    return VoxCeleb(said, {"vox1_meta.csv": VOX1.encode(), "full_vox2_meta.csv": VOX2.encode()}, recordings, tracks)


@pytest.fixture(scope="session")
def videos_with_odd_ones(made_once) -> Path:
    """Two forged talkers with marks, one video of 17 s each, and one of every odd kind; copy it before writing to it.

    The truth lies beside the folder, in `V.truth.json`.
    """
    options = ForgeOptions(speakers=2, videos=1, seconds=17)
    return made_once("videos", lambda home: forge(home / "V", options, workers=2)) / "V"


@pytest.fixture(scope="session")
def talkers(videos_with_odd_ones, made_once) -> Path:
    """The two talkers without the odd videos, the truth beside them; copy it before writing to it."""

    def make(home: Path) -> None:
        truth = json.loads(videos_with_odd_ones.with_name("V.truth.json").read_text())
        truth["videos"] = {name: facts for name, facts in truth["videos"].items() if not facts["odd"]}
        for name in ("forged.json", "marks.jsonl", *truth["videos"]):
            (home / "V" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(videos_with_odd_ones / name, home / "V" / name)
        (home / "V.truth.json").write_text(json.dumps(truth))

    return made_once("talkers", make) / "V"
