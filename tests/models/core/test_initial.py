"""Parts that begin trained: loaded whole, recorded by digest, refused with what to do."""

import pytest
import torch
from facevox.models.core import checkpoint
from facevox.models.core.initial import begin, chosen
from facevox.models.rcgan import Rcgan, RcganOptions
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
