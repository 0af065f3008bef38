"""The base model: fetched once, the same digest for every process, always with a chat template."""

import json

import pytest
import torch

from adapters import base_model as base


def test_the_starter_model_is_fetched_once_and_keeps_its_digest(base_model):
    again = base.fetch(base.STARTER, base_model.folder.parent, log=pytest.fail)
    assert again == base_model
    assert len(again.digest) == 64


def test_the_starter_model_writes_english(starter):
    model, tokenizer = starter
    question = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    with torch.inference_mode():
        answer = model.generate(**ids, max_new_tokens=8, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0, ids["input_ids"].shape[1] :])


def test_a_missing_base_model_says_what_to_run(tmp_path):
    with pytest.raises(LookupError, match="fetch_base_model"):
        base.find(base.STARTER, tmp_path)


def test_a_hub_id_becomes_one_folder_name(tmp_path):
    assert base.folder_of("meta-llama/Llama-3.1-8B", tmp_path) == tmp_path / "meta-llama--Llama-3.1-8B"
    assert base.folder_of("../../etc/passwd", tmp_path).parent == tmp_path


def test_a_folder_stands_for_itself_and_its_digest_follows_its_weights(tmp_path):
    from safetensors.torch import save_file

    folder, models = tmp_path / "mine", tmp_path / "models"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    save_file({"w": torch.zeros(2)}, folder / "model.safetensors")
    first = base.find(str(folder), models)
    assert first.folder == folder
    assert base.find(str(folder), models) == first
    save_file({"w": torch.ones(3)}, folder / "model.safetensors")
    assert base.find(str(folder), models).digest != first.digest
