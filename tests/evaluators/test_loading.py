import pytest
from torch.utils.data import DataLoader, Dataset

from yolox_attn.errors import InputError
from yolox_attn.evaluators.loading import readable

TOLD = "val2017/3.jpg: InputError: not an image"  # the words of the wrapping, in the message itself


class Images(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 2:
            raise InputError(TOLD)
        return index


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_one_line_whichever_process_met_it(workers):
    batches = readable(DataLoader(Images(), batch_size=1, num_workers=workers))
    seen = []
    with pytest.raises(InputError) as caught:
        seen.extend(int(batch) for batch in batches)
    assert seen == [0, 1]
    assert str(caught.value) == TOLD
