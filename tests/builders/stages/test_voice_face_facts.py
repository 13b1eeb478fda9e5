import pytest
from facevox.builders.stages.voice_face_facts import youtube_key
from facevox.loaders.sample import check_key
from hypothesis import given
from hypothesis import strategies as st

IDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=11, max_size=11)


@given(IDS, IDS)
def test_keys_of_videos_differ_exactly_when_their_ids_do(one: str, other: str) -> None:
    assert check_key(youtube_key(one)) == youtube_key(one)
    assert len(youtube_key(one)) == 14
    assert (youtube_key(one) == youtube_key(other)) == (one == other)


def test_ids_that_differ_in_case_alone_have_two_keys() -> None:
    assert youtube_key("21Uxsk56VDQ") != youtube_key("21uxsk56vdq")


@pytest.mark.parametrize("name", ["", "short", "twelve_chars", "ümlauts_abc", "../../../ab", "21Uxsk56VDQ\n"])
def test_what_is_no_youtube_id_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected 11 letters"):
        youtube_key(name)
