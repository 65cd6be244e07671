import pytest

from yolox_attn.data.sampler import Share


@pytest.mark.parametrize(("size", "ranks"), [(5, 1), (5, 2), (6, 3), (2, 4), (0, 2)])
def test_together_the_ranks_see_every_image_once(size: int, ranks: int) -> None:
    shares = [Share(size, rank, ranks) for rank in range(ranks)]
    assert sorted(index for share in shares for index in share) == list(range(size))
    assert [len(share) for share in shares] == [len(list(share)) for share in shares]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_shares_are_interleaved() -> None:
    assert list(Share(7, 1, 3)) == [1, 4]


def test_a_rank_outside_the_group_is_refused() -> None:
    with pytest.raises(ValueError, match="rank 2 of 2"):
        Share(4, 2, 2)
