"""A voice merged into its base model writes what the engine writes with the adapter beside it."""

from __future__ import annotations

import copy
import re
from io import StringIO

import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters import base_model as base
from adapters.services.versions import store
from adapters.store import WEIGHTS
from inference.engine import Engine, EngineConfig, Request, SamplingParams
from tests.inference import tiny
from tests.inference.conftest import make_version

__all__ = ["make_version"]


@pytest.fixture(scope="module")
def little_base(tmp_path_factory):
    """The tiny model on disk, as a base model."""
    folder = tmp_path_factory.mktemp("base") / "tiny"
    tiny.model().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return base.find(str(folder), folder.parent)


@pytest.fixture
def trained(make_version, settings, tmp_path):
    """`trained(model, base)`: a live version with random weights, its files in the store."""
    settings.ADAPTER_STORE = tmp_path / "store"

    def make(model, found, number=1, std=0.2, **fields):
        folder = tiny.write_adapter(model, tmp_path / f"made-{number}", seed=number, std=std, base_digest=found.digest)
        digest = store().put(folder)
        known = {"digest": digest, "base_model": found.name, "base_digest": found.digest}
        return make_version(number, **(known | fields))

    return make


@pytest.fixture
def voice_of_tiny(trained, little_base):
    return trained(tiny.model(), little_base)


def export(*arguments):
    out = StringIO()
    call_command("export_merged", *map(str, arguments), stdout=out)
    return out.getvalue()


def engines_text(model, tokenizer, version, prompt, tokens):
    """What the engine writes in the voice, and its tokens."""
    engine = Engine(model, tokenizer, EngineConfig(base_digest=version.base_digest))
    engine.add_adapter(version.digest, store().verify(version.digest))
    greedy = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True)
    engine.submit(Request(id="one", prompt=tuple(prompt), adapter=version.digest, sampling=greedy))
    outputs = []
    while engine.has_work():
        outputs += engine.step()
    engine.close()
    return "".join(output.text for output in outputs), [id for output in outputs for id in output.token_ids]


@torch.inference_mode()
def merged_tokens(folder, prompt, tokens):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    model.generation_config.eos_token_id = None
    ids = torch.tensor([list(prompt)])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)
    return out[0, len(prompt) :].tolist()


class TestTheSameText:
    def test_of_a_tiny_model(self, voice_of_tiny, tmp_path):
        assert export("ada/essays", tmp_path / "out") == f"ada/essays@1 is in {tmp_path / 'out'}\n"
        for text in ("Once upon a time", "x"):
            prompt = tiny.tokenizer()(text).input_ids
            _, expected = engines_text(tiny.model(), None, voice_of_tiny, prompt, 40)
            assert merged_tokens(tmp_path / "out", prompt, 40) == expected
            assert tiny.generate(tiny.model(), None, prompt, 40) != expected

    @pytest.mark.model
    def test_of_the_starter_model(self, starter, base_model, trained, settings, tmp_path):
        settings.MODELS = base_model.folder.parent
        model, tokenizer = starter
        version = trained(model, base_model, std=0.05)
        export("ada/essays@1", tmp_path / "out")
        theirs = AutoTokenizer.from_pretrained(tmp_path / "out")
        prompt = theirs("Every morning the baker of our street").input_ids
        # A second tree of modules around the same weights: the shared fixture stays as it is.
        own = copy.deepcopy(model, {id(p): p for p in model.parameters()})
        expected, _ = engines_text(own, copy.deepcopy(tokenizer), version, prompt, 30)
        assert theirs.decode(merged_tokens(tmp_path / "out", prompt, 30)) == expected


class TestWhatIsWritten:
    def test_the_card_names_voice_version_base_and_digest(self, voice_of_tiny, little_base, tmp_path):
        export("ada/essays", tmp_path / "out")
        card = (tmp_path / "out" / "README.md").read_text()
        for fact in ("# Essays, version 1", "`ada/essays@1`", voice_of_tiny.digest, little_base.digest):
            assert fact in card

    def test_the_cards_example_runs(self, voice_of_tiny, tmp_path, monkeypatch, capsys):
        export("ada/essays", tmp_path / "out")
        (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "out" / "README.md").read_text(), re.DOTALL)
        monkeypatch.chdir(tmp_path / "out")
        exec(code.replace("max_new_tokens=300", "max_new_tokens=5"), {})
        assert capsys.readouterr().out

    def test_bfloat16_is_the_merged_weights_rounded_once(self, voice_of_tiny, tmp_path):
        export("ada/essays", tmp_path / "full")
        export("ada/essays", tmp_path / "half", "--dtype", "bfloat16")
        with (
            safe_open(tmp_path / "full" / "model.safetensors", framework="pt") as full,
            safe_open(tmp_path / "half" / "model.safetensors", framework="pt") as half,
        ):
            assert set(full.keys()) == set(half.keys())
            for name in full.keys():  # noqa: SIM118  (not a mapping)
                assert torch.equal(half.get_tensor(name), full.get_tensor(name).bfloat16())
        assert "merged in float32, stored in bfloat16" in (tmp_path / "half" / "README.md").read_text()

    def test_an_earlier_version_by_its_number(self, trained, little_base, tmp_path):
        trained(tiny.model(), little_base, 1, status="retired")
        trained(tiny.model(), little_base, 2)
        assert export("ada/essays@1", tmp_path / "first").startswith("ada/essays@1 is in")
        assert export("ada/essays", tmp_path / "live").startswith("ada/essays@2 is in")

    def test_an_empty_folder_may_be_there(self, voice_of_tiny, tmp_path):
        (tmp_path / "out").mkdir()
        export("ada/essays", tmp_path / "out")
        assert (tmp_path / "out" / "tokenizer.json").exists()
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755


class TestRefusals:
    @pytest.mark.parametrize("name", ["ada/none", "bob/essays", "essays", "", "ada/essays/"])
    def test_an_unknown_voice(self, voice_of_tiny, tmp_path, name):
        with pytest.raises(CommandError, match="There is no voice"):
            export(name, tmp_path / "out")

    def test_a_voice_that_was_never_trained(self, voice, tmp_path):
        with pytest.raises(CommandError, match=r"None of its versions can\. Train it first"):
            export("ada/essays", tmp_path / "out")

    @pytest.mark.parametrize("name", ["ada/essays@2", "ada/essays@7", "ada/essays@x"])
    def test_a_version_that_cannot_write(self, trained, little_base, tmp_path, name):
        trained(tiny.model(), little_base, 1)
        trained(tiny.model(), little_base, 2, status="rejected")
        with pytest.raises(CommandError, match=rf"{name} is not a version that can write. These can: ada/essays@1\."):
            export(name, tmp_path / "out")

    def test_a_folder_with_something_in_it(self, voice_of_tiny, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("mine")
        for taken in (tmp_path / "out", tmp_path / "out" / "mine"):
            with pytest.raises(CommandError, match="is not an empty folder"):
                export("ada/essays", taken)

    def test_a_folder_that_cannot_be_made(self, voice_of_tiny, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CommandError, match="file"):
            export("ada/essays", tmp_path / "file" / "out")

    def test_a_damaged_adapter(self, voice_of_tiny, tmp_path):
        weights = store().path(voice_of_tiny.digest) / WEIGHTS
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
        with pytest.raises(CommandError, match=f"{voice_of_tiny.digest} are damaged"):
            export("ada/essays", tmp_path / "out")
        weights.unlink()
        with pytest.raises(CommandError, match=f"{voice_of_tiny.digest} are damaged"):
            export("ada/essays", tmp_path / "out")

    def test_an_adapter_that_is_gone(self, voice_of_tiny, tmp_path):
        store().delete(voice_of_tiny.digest)
        with pytest.raises(CommandError, match=r"is not in .*store"):
            export("ada/essays", tmp_path / "out")

    def test_a_base_model_that_is_not_here(self, trained, little_base, tmp_path):
        trained(tiny.model(), little_base, base_model="some/model")
        with pytest.raises(CommandError, match=r"'some/model' is not on this machine: run `IDIOLECT_BASE_MODEL=some"):
            export("ada/essays", tmp_path / "out")

    def test_a_base_model_with_other_weights(self, trained, little_base, tmp_path):
        trained(tiny.model(), little_base, base_digest="b" * 64)
        with pytest.raises(CommandError, match=f"has the digest {little_base.digest}"):
            export("ada/essays", tmp_path / "out")

    def test_weights_that_are_not_numbers(self, trained, little_base, tmp_path):
        trained(tiny.model(), little_base, std=float("inf"))
        with pytest.raises(CommandError, match="ada/essays@1 cannot be merged"):
            export("ada/essays", tmp_path / "out")

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tmp_path):
        yield
        assert not [*tmp_path.glob(".merge-*")]
        assert not (tmp_path / "out" / "config.json").exists()
