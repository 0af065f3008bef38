"""Several voices in one batch, and what they write."""

import copy

import pytest
import torch

from adapters.training.rows import Rows
from adapters.training.stopping import Stopped
from adapters.training.writing import Request, _batches, pad_left, write
from tests.inference import tiny


@pytest.fixture(scope="module")
def base():
    return tiny.model()


@pytest.fixture(scope="module")
def folders(base, tmp_path_factory):
    root = tmp_path_factory.mktemp("voices")
    return {
        name: tiny.write_adapter(base, root / name, seed=seed, r=rank)
        for name, seed, rank in (("ada", 1, 8), ("bob", 2, 4), ("cyd", 3, 8))
    }


def logits_by_peft(folder, ids):
    from peft import PeftModel

    voice = copy.deepcopy(tiny.model())
    if folder is not None:
        voice = PeftModel.from_pretrained(voice, folder).eval()
    with torch.inference_mode():
        return voice(input_ids=ids[None]).logits[0]


def test_every_row_of_a_batch_goes_through_its_own_voice(base, folders):
    ids = torch.randint(0, 256, (5, 12), generator=torch.Generator().manual_seed(0))
    voices = ["bob", None, "ada", "cyd", "bob"]
    with Rows(base, folders).of(voices), torch.inference_mode():
        together = base(input_ids=ids).logits

    for row, voice in enumerate(voices):
        alone = logits_by_peft(folders.get(voice), ids[row])
        assert torch.allclose(together[row], alone, atol=1e-4)
    assert not torch.allclose(together[0], logits_by_peft(None, ids[0]), atol=1e-2)


def test_one_voice_is_that_of_all_rows_and_afterwards_the_base_is_itself(base, folders):
    ids = torch.randint(0, 256, (3, 12), generator=torch.Generator().manual_seed(0))
    with Rows(base, folders).of(["ada"]), torch.inference_mode():
        voiced = base(input_ids=ids).logits
    with torch.inference_mode():
        after = base(input_ids=ids).logits

    assert torch.allclose(voiced[2], logits_by_peft(folders["ada"], ids[2]), atol=1e-4)
    assert torch.allclose(after[2], logits_by_peft(None, ids[2]), atol=1e-4)


def test_every_request_is_answered_by_a_text_that_its_seed_decides(base, folders):
    requests = [
        Request(key=f"{number}", brief="b" * (1 + 5 * number), voice=voice)
        for number, voice in enumerate([None, "ada", "bob", "ada", None, "cyd", "bob", None, "ada", "cyd"])
    ]
    tokenizer = tiny.tokenizer()

    def written(seed):
        torch.manual_seed(len(found))  # whatever chance has been before
        found.append({})
        for batch in write(Rows(base, folders), tokenizer, requests, tokens=9, seed=seed):
            found[-1] |= batch
        return found[-1]

    found: list[dict[str, str]] = []
    assert written(0).keys() == {request.key for request in requests}
    assert written(0) == found[0] != written(1)


def test_filling_on_the_left_is_not_attended_to():
    ids, mask = pad_left([[5, 6, 7], [8]], 1, torch.device("cpu"))

    assert ids.tolist() == [[5, 6, 7], [1, 1, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_a_batch_keeps_to_its_bounds_and_no_request_is_lost():
    prompts = [(Request(key=str(size), brief="", voice=None), [0] * size) for size in range(1, 9000, 150)]
    batches = list(_batches(prompts, 100, "cpu"))

    assert [pair for batch in batches for pair in batch] == prompts
    assert all(len(batch) == 1 or len(batch) * (len(batch[-1][1]) + 100) <= 24_000 for batch in batches)
    assert all(len(batch) <= 32 for batch in batches)
    assert max(map(len, batches)) > 1


def test_writing_stops_between_two_layers(base, folders):
    asked = iter([False] * 5)
    requests = [Request(key="a", brief="a", voice="ada")]

    with pytest.raises(Stopped):
        list(
            write(
                Rows(base, folders), tiny.tokenizer(), requests, tokens=9, seed=0, should_stop=lambda: next(asked, True)
            )
        )
    assert not any(module._forward_hooks for module in base.modules())
