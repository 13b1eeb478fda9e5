"""What one sample of SpeakingFaces says about itself: who, how it was measured, what was spoken; and its media."""

import pyarrow as pa

from ...loaders.sample import Fact, Field
from ..core.decisions import DECISIONS

TERMS = {
    "licence": "CC BY 4.0, https://doi.org/10.48333/smgd-yj77",
    "consent": "signed informed consent to share identifiable images as a dataset (Nazarbayev University IREC)",
    "source": "SpeakingFaces, ISSAI, Nazarbayev University",
}
FORGED_TERMS = {
    "licence": "none needed: forged by facevox",
    "consent": "none needed: a person who does not exist",
    "source": "forged by facevox in the layout of SpeakingFaces",
}

SEGMENT = pa.struct(
    [
        ("first", pa.int32()),
        ("last", pa.int32()),
        ("h", pa.list_(pa.float64())),
        ("source", pa.string()),
        ("dx", pa.int32()),
        ("dy", pa.int32()),
    ]
)
RUN = pa.struct([("first", pa.int32()), ("last", pa.int32())])
JUMP = pa.struct([("frame", pa.int32()), ("dx", pa.float32()), ("dy", pa.float32())])

WHO = (
    Fact("subject", pa.int16(), "subject number of the release, 1 to 142"),
    Fact("gender", pa.string(), "as in subjects.csv: Female or Male"),
    Fact("age", pa.int16(), "years, as in subjects.csv"),
    Fact("ethnicity", pa.string(), "as in subjects.csv: Asian, Black or Caucasian"),
    Fact("accessories", pa.string(), "worn in this trial: None, Glasses, Veil, Hat; several joined by ';'"),
    Fact("release_split", pa.string(), "the release's word for the split: Train, Valid or Test"),
    Fact("trial", pa.int8(), "recording day, 1 or 2, at least two weeks apart"),
    Fact("session", pa.int8(), "1 silent and still, 2 reading commands aloud"),
    Fact("position", pa.int8(), "camera position 1 to 9; 1-3 frontal, 4-6 and 7-9 from the sides; level, above, below"),
    Fact("frames", pa.int32(), "frames in each clip"),
    Fact("first_frame", pa.int32(), "release number of the clip's first frame"),
    Fact("fps", pa.int16(), "frames per second"),
    Fact("seconds", pa.float64(), "frames / fps"),
    Fact("release_name", pa.string(), "the release's archive and name stem"),
    Fact("licence", pa.string(), "licence of the release"),
    Fact("consent", pa.string(), "what the pictured person agreed to"),
    Fact("source", pa.string(), "where the release comes from"),
)
EVIDENCE = (
    Fact(
        "alignment",
        pa.list_(SEGMENT),
        "visual to thermal: matrices h (row-major) for frames first..last, counted from 1",
    ),
    Fact(
        "shift_source",
        pa.string(),
        "where dx and dy come from: published, estimated or both; whatever matrix they move",
    ),
    Fact("alignment_covers", pa.bool_(), "whether every frame has a matrix"),
    Fact(
        "aligned_residual",
        pa.float32(),
        "grey levels between visual warped by the published matrix and the release's aligned frame, worst checked",
    ),
    Fact("aligned_checked", pa.int32(), "aligned frames compared"),
    Fact("aligned_stored", pa.bool_(), "whether the clip aligned.webp is kept beside the matrices"),
    Fact("blur", pa.list_(pa.float32()), "variance of the Laplacian of every grey visual frame"),
    Fact("blur_min", pa.float32(), "smallest of them"),
    Fact("blur_median", pa.float32(), "median of them"),
    Fact("blur_share", pa.float32(), "share of frames below 10"),
    Fact("blurred", pa.bool_(), "our verdict: any frame below 10"),
    Fact("freeze_runs", pa.list_(RUN), "runs of pixel-identical thermal frames, counted from 1"),
    Fact("freeze_longest", pa.int32(), "frames in the longest run"),
    Fact("freeze_share", pa.float32(), "share of frames in runs that count as frozen"),
    Fact("frozen", pa.bool_(), "our verdict: a run of at least --freeze-frames"),
    Fact(
        "chin",
        pa.list_(pa.float32()),
        "pixels by which the worst chin landmark, or the lower edge of the face's box if that is further out, leaves "
        "each frame, negative inside; null: no face, or not measured",
    ),
    Fact("chin_overshoot", pa.float32(), "worst of them outside jumps, 0 when all inside; null: no face, not measured"),
    Fact("chin_share", pa.float32(), "share of the frames with a face whose chin is outside by more than the margin"),
    Fact("faceless_share", pa.float32(), "share of frames without a detected face; null: not measured"),
    Fact("chin_cut", pa.bool_(), "our verdict: chin_share of a tenth or more; null: not judged"),
    Fact(
        "jumps",
        pa.list_(JUMP),
        "frames, from 1, that jump aside and by how many pixels, the smaller way round; null: not measured",
    ),
    Fact("flickers", pa.bool_(), "our verdict: any jump; null: not judged"),
    Fact("snr_db", pa.float32(), "estimated signal-to-noise ratio of mic 1; null: silent session"),
    Fact("noisy", pa.bool_(), "our verdict: below 20 dB; null: silent session"),
    Fact("thermal_parity", pa.int8(), "thermal code by the published rule; null: not asked for"),
    Fact("freeze_parity", pa.list_(RUN), "freezes as that rule reports them; null: not asked for"),
    Fact("visual_parity", pa.int8(), "visual code by the published rule; null: not asked for"),
    Fact("flicker_parity", pa.list_(pa.int32()), "frames that jump by the published rule; null: not asked for"),
    Fact("palette_exact", pa.bool_(), "every thermal pixel is one of the camera's 224 colours"),
    Fact("palette_outside", pa.int64(), "thermal pixels that are not"),
)
DECIDED = (
    DECISIONS,
    Fact("artifact_thermal", pa.int8(), "0 clean, 1 frozen: our verdicts after people's; null: not judged"),
    Fact("artifact_visual", pa.int8(), "0 clean, 1 blurred, 2 cut chin, 3 both: likewise"),
    Fact("artifact_audio", pa.int8(), "0 clean, 1 background noise: likewise"),
    Fact("artifact_flicker", pa.int8(), "0 clean, 1 jumps sideways: likewise; the release has no code for it"),
)
ARTIFACT_CODES = {
    "artifact_thermal": {"frozen": 1},
    "artifact_visual": {"blurred": 1, "chin_cut": 2},
    "artifact_audio": {"noisy": 1},
    "artifact_flicker": {"flickers": 1},
}
"""Codes of Table 3, from the facts that hold our verdicts."""
SPOKEN = (
    Fact("command", pa.int16(), "command number, unique only inside a split"),
    Fact("command_text", pa.string(), "the command shown; null without a command table"),
    Fact("transcript", pa.string(), "what was really said; null without a command table"),
    Fact("thermal_code", pa.int8(), "published: 0 clean, 1 frozen"),
    Fact("visual_code", pa.int8(), "published: 0 clean, 1 blurred, 2 cut chin, 3 both"),
    Fact("audio_code", pa.int8(), "published: 0 clean, 1 background noise"),
    Fact("text_code", pa.int8(), "published: 0 clean, 1 minor noise, 2 invalid"),
    Fact("sample_rate", pa.int32(), "Hz"),
    Fact("samples", pa.int32(), "audio samples per microphone"),
    Fact("frames_by_audio", pa.int32(), "samples * 28 // rate; the release is one frame short where this is one more"),
    Fact("audio_lag", pa.float32(), "seconds by which the release's cutting rule delays sound against picture"),
    Fact(
        "recorded", pa.list_(RUN), "frames of the position's raw recording that make up the clip; null: from archives"
    ),
    Fact(
        "sound_moved",
        pa.int32(),
        "samples by which a cut from raw begins earlier than the authors' by the plan, before rescue; null: archives",
    ),
    Fact(
        "trim_proposed", pa.int32(), "samples to keep by the end of speech plus 1 s; null: no speech end found or asked"
    ),
    Fact("trimmed_by", pa.string(), "who set the end: proposal, decision, rescue table, or '' for the plan"),
    Fact("beginning_removed", pa.int16(), "frames cut off at the beginning up to the last sideways jump"),
    Fact("rescue", pa.string(), "what the rescue table asked for: copy, trim, merge and trim, or ''"),
)
CLIPS = (
    Field("visual.webp", "clip", "visual frames as captured (768x512 in the real release)"),
    Field("thermal.webp", "clip", "thermal frames (464x348), colours of the camera's palette, not temperatures"),
    Field(
        "aligned.webp",
        "clip",
        "visual warped to thermal, kept only where the matrices do not reproduce it",
        optional=True,
    ),
)
SOUNDS = (
    Field("mic1.flac", "audio", "left microphone, 44.1 kHz, 16 bit"),
    Field("mic2.flac", "audio", "right microphone, 44.1 kHz, 16 bit"),
)
