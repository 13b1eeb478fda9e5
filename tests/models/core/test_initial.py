"""Parts that begin trained: loaded whole, recorded by digest, refused with what to do."""

from dataclasses import replace
from hashlib import sha256

import pytest
import torch
from facevox.models.core import checkpoint
from facevox.models.core.face_networks import face_network
from facevox.models.core.face_resnet import PUBLIC
from facevox.models.core.initial import begin, chosen
from facevox.models.core.model import Model, ModelOptions, Pretrained
from facevox.models.core.networks import NETWORKS, Convention, Network
from facevox.models.core.segment_inputs import SegmentInputs
from facevox.models.rcgan import Rcgan, RcganOptions
from facevox.models.sf2f import Sf2f, Sf2fOptions
from facevox.models.vfmr import Vfmr, VfmrOptions
from facevox.models.voice_classifier import VoiceClassifier, VoiceClassifierOptions

OPTIONS = RcganOptions(kind="vae", classes=3, classifier_width=0.125)


def trained(path, **options):
    model = VoiceClassifier(VoiceClassifierOptions(**{"classes": 3, "width": 0.125, **options}))
    checkpoint.save(path, {"model": "voice_classifier", "weights": model.state_dict()})
    return model


def test_a_part_takes_the_weights_of_its_model(tmp_path):
    classifier, model = trained(tmp_path / "best.pt"), Rcgan(OPTIONS)
    told = begin(model, f"encoder={tmp_path / 'best.pt'}")
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, classifier.network.state_dict()[name])
    assert told.startswith("encoder=") and len(told) == len("encoder=") + 16
    trained(tmp_path / "other.pt")
    assert begin(model, f"encoder={tmp_path / 'other.pt'}") != told
    assert begin(classifier, "") == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"rcgan begins with a trained encoder: `facevox train voice_classifier` makes one"),
        ("decoder=X", r"no such part; its parts: encoder"),
        ("encoder", r"expected PART=CHECKPOINT"),
        ("encoder=absent.pt", r"no file absent.pt"),
    ],
)
def test_what_cannot_begin_is_refused(text, told):
    with pytest.raises(ValueError, match=told):
        begin(Rcgan(OPTIONS), text)


def test_checkpoints_that_do_not_fit_are_refused(tmp_path):
    trained(tmp_path / "wide.pt", width=0.25)
    with pytest.raises(
        ValueError, match=r"other options than rcgan has now: \S+ is \(32, 2, 3, 3\) in it, \(16, 2, 3, 3\) here"
    ):
        begin(Rcgan(OPTIONS), f"encoder={tmp_path / 'wide.pt'}")
    checkpoint.save(tmp_path / "gender.pt", {"model": "gender", "weights": {}})
    with pytest.raises(ValueError, match="is of gender, expected a checkpoint of voice_classifier"):
        begin(Rcgan(OPTIONS), f"encoder={tmp_path / 'gender.pt'}")
    assert set(chosen("a=x,b=y=z")) == {"a", "b"}


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (("a", "b", "d"), r"tells 3 people apart, this run 3, 2 of them in one of the two only"),
        (("a", "c", "b"), r"this run 3, in another order: its outputs would stand for the wrong people"),
    ],
)
def test_a_part_that_tells_other_people_apart_is_refused(tmp_path, there, told):
    here, narrow = ("a", "b", "c"), Sf2fOptions(width=0.0625, perceptual=0)
    weights = Sf2f(narrow, here).state_dict()
    fuser, path = Sf2f(replace(narrow, stage="fuser"), here), tmp_path / "best.pt"
    checkpoint.save(path, {"model": "sf2f", "people": there, "weights": weights})
    with pytest.raises(ValueError, match=told):
        begin(fuser, f"networks={path}", people=here)
    checkpoint.save(path, {"model": "sf2f", "people": here, "weights": weights})
    assert begin(fuser, f"networks={path}", people=here)


class Drawer(Model):
    """Three parts: one that must be given, one that may be, one that this variant may lack."""

    name = "drawer"
    options_type = ModelOptions
    epochs = batch_size = 1
    parts = {  # noqa: RUF012 - never changed
        "encoder": Pretrained("voice_classifier", "network."),
        "judge": Pretrained(required=False, network="tiny", network_prefix="fc8."),
        "extra": Pretrained("gender"),
    }

    def __init__(self, extra: bool = False) -> None:
        super().__init__()
        self.encoder = VoiceClassifier(VoiceClassifierOptions(classes=3, width=0.125)).network
        self.judge = torch.nn.Linear(3, 2)
        self.extra = torch.nn.Linear(1, 1) if extra else None

    def inputs(self):
        return SegmentInputs(classes=3)

    def step(self, batch):
        return {}

    def evaluate(self, batch):
        return {}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A registered torch network of two layers, of which one is a part's, in a folder of the user's."""
    weights = {"fc7.weight": torch.ones(3, 3), "fc8.weight": torch.full((2, 3), 5.0), "fc8.bias": torch.ones(2)}
    torch.save(weights, tmp_path / "tiny.pth")
    digest = sha256((tmp_path / "tiny.pth").read_bytes()).hexdigest()
    monkeypatch.setitem(NETWORKS, "tiny", Network("tiny", "tiny.pth", digest, "torch", "MIT", Convention()))
    return tmp_path


def test_a_part_may_begin_with_a_public_network(tmp_path, tiny):
    trained(tmp_path / "best.pt")
    model, encoder = Drawer(), f"encoder={tmp_path / 'best.pt'}"
    assert "judge" not in begin(model, encoder)
    assert model.begun == {"encoder"}
    told = begin(model, f"{encoder},judge=tiny", tiny)
    assert model.begun == {"encoder", "judge"}
    assert (model.judge.weight == 5).all() and (model.judge.bias == 1).all()
    assert f"judge={sha256((tiny / 'tiny.pth').read_bytes()).hexdigest()[:16]}" in told
    with pytest.raises(FileNotFoundError, match=r"no tiny.pth here"):
        begin(model, f"{encoder},judge=tiny")
    with pytest.raises(ValueError, match="facenet is another network; --initial judge=tiny takes the public network"):
        begin(model, f"{encoder},judge=facenet", tiny)
    with pytest.raises(ValueError, match="is of voice_classifier, expected the name of the public network tiny"):
        begin(model, f"{encoder},judge={tmp_path / 'best.pt'}")
    model.judge = torch.nn.Linear(4, 2)
    with pytest.raises(ValueError, match=r"weight is \(2, 3\) in it, \(2, 4\) here"):
        begin(model, f"{encoder},judge=tiny", tiny)


def test_a_part_that_a_variant_lacks_is_not_asked_for(tmp_path):
    trained(tmp_path / "best.pt")
    encoder = f"encoder={tmp_path / 'best.pt'}"
    begin(Drawer(), encoder)
    with pytest.raises(ValueError, match="its parts: encoder, judge; with these options it has none"):
        begin(Drawer(), f"{encoder},extra=x.pt")
    with pytest.raises(ValueError, match="drawer begins with a trained extra: `facevox train gender` makes one"):
        begin(Drawer(extra=True), encoder)


def published(name: str) -> str:
    """A name of ours as the publishers of ArcFace's networks have it."""
    words = name.split(".")
    if words[0] == "head" or (words[0] == "trunk" and int(words[1]) < 3):
        return ".".join(["output_layer" if words[0] == "head" else "input_layer", *words[1:]])
    inner = {"squeeze": "res_layer.5.fc1", "excite": "res_layer.5.fc2"}.get(words[3], "")
    kept = [inner] if inner else [{"body": "res_layer", "shortcut": "shortcut_layer"}[words[2]], words[3]]
    return ".".join(["body", str(int(words[1]) - 3), *kept, *words[4:]])


@pytest.mark.parametrize("kind", ["ir50", "se_ir50"])
def test_vfmr_s_face_may_begin_with_arcface_s_public_networks(tmp_path, monkeypatch, kind):
    options = VfmrOptions(stage="joint", face_network=kind, face_width=1 / 16, voice_width=1 / 8, freeze_voice=False)
    model, public = Vfmr(options), face_network(kind, 1 / 16)[0]
    entry = NETWORKS[PUBLIC[kind]]
    torch.save({published(name): value for name, value in public.state_dict().items()}, tmp_path / entry.file)
    digest = sha256((tmp_path / entry.file).read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="no digest of arcface"):
        begin(model, f"face={entry.name}", tmp_path)
    (tmp_path / f"{entry.file}.sha256").write_text(f"{digest}  {entry.file}\n")
    assert begin(model, f"face={entry.name}", tmp_path) == f"face={digest[:16]}"
    assert all(torch.equal(value, model.face.state_dict()[name]) for name, value in public.state_dict().items())
