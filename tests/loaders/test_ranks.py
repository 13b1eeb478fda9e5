"""Two ranks under torch.distributed: equal numbers of steps, so that nobody waits for the other for ever."""

import subprocess
import sys

RANK = """
import sys
import torch
import torch.distributed as dist
from facevox.loaders.stream import Stream, StreamOptions

folder, meeting, rank = sys.argv[1], sys.argv[2], int(sys.argv[3])
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
options = StreamOptions(("mic1.flac",), shuffle=True, batch_size=2, limit=5, rank=rank, world=dist.get_world_size())
stream = Stream(folder, "utterances", "train", options)
for epoch in range(2):
    for batch in stream:
        steps = torch.ones(1)
        dist.all_reduce(steps)
        assert steps.item() == 2
        print(epoch, *batch["__key__"])
dist.destroy_process_group()
"""


def test_two_ranks_finish_every_epoch_of_a_split_with_an_odd_number_of_shards(built, tmp_path):
    folder = built["tar"]
    rows = [row for row in folder.index.to_pylist() if (row["config"], row["split"]) == ("utterances", "train")][:5]
    assert len({row["shard"] for row in rows}) == 3
    command = [sys.executable, "-c", RANK, str(folder.path), str(tmp_path / "meeting")]
    ranks = [subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True) for rank in (0, 1)]
    said = [rank.communicate(timeout=120)[0].splitlines() for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0]
    assert len(said[0]) == len(said[1])
    for epoch in "01":
        taken = [key for lines in said for line in lines if line[0] == epoch for key in line.split()[1:]]
        assert len(taken) == len(set(taken))
        assert sorted(taken) == sorted(row["key"] for row in rows)
