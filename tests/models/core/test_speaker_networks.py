"""Speaker networks by path: given what they ask for, held to a vector, and never more than computed with."""

import numpy as np
import pytest
import torch
from facevox.models.core.speaker import open_speaker_embedder
from facevox.models.core.speaker_input import log_mel

RANDOM = np.random.default_rng(0)
SOUND = (3000 * RANDOM.standard_normal(80_000)).astype(np.int16)
KERNELS = RANDOM.standard_normal((6, 1, 400)).astype(np.float32)
BANDS = RANDOM.standard_normal((5, 80, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def wave_onnx(tmp_path_factory, wave_network):
    path = tmp_path_factory.mktemp("networks") / "wave.onnx"
    path.write_bytes(wave_network(KERNELS))
    return path


@pytest.fixture(scope="module")
def mel_onnx(tmp_path_factory, mel_network):
    path = tmp_path_factory.mktemp("networks") / "mel.onnx"
    path.write_bytes(mel_network(BANDS))
    return path


class WaveNetwork(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bands = torch.nn.Conv1d(1, 6, 400, 160, bias=False)
        self.bands.weight.data = torch.from_numpy(KERNELS)

    def forward(self, wave):
        return torch.relu(self.bands(wave[:, None])).mean(-1)


class PairNetwork(WaveNetwork):
    def forward(self, wave):
        found = torch.relu(self.bands(wave[:, None])).mean(-1)
        return found, found.sum()


def saved(network, path, script=False):
    export = torch.jit.script(network) if script else torch.jit.trace(network, torch.zeros(1, 48_000))
    export.save(str(path))
    return path


def expected(wave):
    bands = [np.convolve(wave / 32_768, kernel[0, ::-1], "valid")[::160] for kernel in KERNELS]
    vector = np.maximum(0, bands).mean(1)
    return vector / np.linalg.norm(vector)


def test_an_onnx_network_gets_the_wave(wave_onnx):
    embed = open_speaker_embedder(f"onnx:{wave_onnx}")
    windows = [SOUND[:48_000], SOUND[8_000:80_000]]
    found = embed(windows)
    assert embed.name == "onnx:wave.onnx" and found.dtype == np.float32
    assert np.allclose(found, [expected(window) for window in windows], atol=1e-4)
    track = embed.track(lambda first, end: SOUND[first:end], len(SOUND))
    assert np.array_equal(track(8_000, 80_000), found[1])
    assert embed([]).shape[0] == 0


def test_an_onnx_network_gets_the_log_mel(mel_onnx):
    found = open_speaker_embedder(f"onnx-mel:{mel_onnx.name}", mel_onnx.parent)([SOUND[:48_000]])
    given = log_mel(SOUND[:48_000])
    values = np.array([[np.sum(given[at : at + 3].T * kernel) for kernel in BANDS] for at in range(len(given) - 2)])
    vector = np.maximum(0, values).mean(0)
    assert np.allclose(found[0], vector / np.linalg.norm(vector), atol=1e-4)


def kaldi_bands(frame):
    """(80,) log powers of one frame, counted one by one: Hamming window, triangles straight in mel."""
    frame = frame - frame.mean()
    emphasised = np.array([0.03 * frame[0], *(frame[1:] - 0.97 * frame[:-1])])
    emphasised *= 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    power = np.abs(np.fft.fft(np.append(emphasised, np.zeros(112)))) ** 2
    low, high = (1127 * np.log(1 + hz / 700) for hz in (20.0, 8000.0))
    width = (high - low) / 81
    sums = np.zeros(80)
    for number in range(256):
        mel = 1127 * np.log(1 + number * 31.25 / 700)
        for band in range(80):
            sums[band] += power[number] * max(0.0, 1 - abs(mel - low - (band + 1) * width) / width)
    return np.log(sums)


def test_log_mel_is_that_of_kaldi_less_its_mean():
    found = log_mel(SOUND[:800])
    each = np.stack([kaldi_bands(SOUND[start : start + 400].astype(float)) for start in (0, 160, 320)])
    assert found.shape == (3, 80)
    assert np.allclose(found, each - each.mean(0), atol=1e-4)
    assert log_mel(SOUND[:3_000]).shape == (1 + (3_000 - 400) // 160, 80)


@pytest.mark.parametrize("script", [False, True])
def test_a_torchscript_network_gets_the_wave(tmp_path, script):
    embed = open_speaker_embedder(f"torch:{saved(WaveNetwork(), tmp_path / 'wave.pt', script)}")
    assert np.allclose(embed([SOUND[:48_000]])[0], expected(SOUND[:48_000]), atol=1e-4)


def test_the_first_of_several_outputs_is_the_vector(tmp_path):
    embed = open_speaker_embedder(f"torch:{saved(PairNetwork(), tmp_path / 'pair.pt')}")
    assert np.allclose(embed([SOUND[:48_000]])[0], expected(SOUND[:48_000]), atol=1e-4)


class SavingNetwork(torch.nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, wave):
        torch.save(wave, self.path)
        return wave[:, :4]


class WaitingNetwork(torch.nn.Module):
    @torch.jit.export
    def __getstate__(self):
        return (torch.zeros(1), True)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.training = state[1]

    def forward(self, wave):
        return wave[:, :4]


def test_code_that_does_more_than_compute_is_refused(tmp_path):
    victim = tmp_path / "victim"
    torch.jit.script(SavingNetwork(str(victim))).save(str(tmp_path / "saving.pt"))
    with pytest.raises(ValueError, match="calls aten::save"):
        open_speaker_embedder(f"torch:{tmp_path / 'saving.pt'}")
    torch.jit.script(WaitingNetwork()).save(str(tmp_path / "waiting.pt"))
    with pytest.raises(ValueError, match="runs while it is read"):
        open_speaker_embedder(f"torch:{tmp_path / 'waiting.pt'}")
    assert not victim.exists()


def test_files_that_are_no_networks_are_refused(tmp_path):
    torch.save(WaveNetwork().state_dict(), tmp_path / "weights.pt")
    exported = torch.export.export(WaveNetwork(), (torch.zeros(1, 48_000),))
    torch.export.save(exported, tmp_path / "exported.pt2")
    (tmp_path / "text.pt").write_text("no network")
    (tmp_path / "half.pt").write_bytes(saved(WaveNetwork(), tmp_path / "whole.pt").read_bytes()[:3000])
    for file in ("weights.pt", "exported.pt2", "text.pt", "half.pt"):
        with pytest.raises(ValueError, match="no TorchScript network"):
            open_speaker_embedder(f"torch:{tmp_path / file}")
    with pytest.raises(ValueError, match="not an ONNX network"):
        open_speaker_embedder(f"onnx:{tmp_path / 'text.pt'}")
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_speaker_embedder("onnx:missing.onnx", tmp_path)
    with pytest.raises(ValueError, match="no speaker embedder"):
        open_speaker_embedder("torch:")


class Answer(torch.nn.Module):
    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("answer", answer)

    def forward(self, wave):
        return self.answer + 0 * wave[0, 0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (torch.zeros(1, 5), "length 0"),
        (torch.full((1, 5), torch.nan), "length nan"),
        (torch.ones(2, 5), "expected one vector"),
        (torch.ones(1, 1), "expected one vector"),
    ],
)
def test_answers_that_are_no_vectors_are_refused(tmp_path, answer, said):
    embed = open_speaker_embedder(f"torch:{saved(Answer(answer), tmp_path / 'answer.pt')}")
    with pytest.raises(ValueError, match=said):
        embed([SOUND[:48_000]])


def test_the_other_kind_of_input_is_pointed_to(mel_onnx, wave_onnx):
    with pytest.raises(ValueError, match="with -mel"):
        open_speaker_embedder(f"onnx:{mel_onnx}")([SOUND[:48_000]])


def test_vectors_of_several_sizes_are_refused(tmp_path):
    class Growing(torch.nn.Module):
        def forward(self, wave):
            return wave[:, ::8000] + 1

    embed = open_speaker_embedder(f"torch:{saved(Growing(), tmp_path / 'growing.pt')}")
    with pytest.raises(ValueError, match="numbers; no embedder"):
        embed([SOUND[:48_000], SOUND[:80_000]])
