"""Little models and little authors to train."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.base_model import BaseModel, load_tokenizer
from adapters.training.dataset import Post
from adapters.training.recipe import Recipe

VOCABULARY = 400
DEMO = Path(__file__).resolve().parents[3] / "demo"
NOUNS = [
    "lantern",
    "kettle",
    "harbour",
    "ladder",
    "orchard",
    "pigeon",
    "cellar",
    "ribbon",
    "tramway",
    "gravel",
    "thimble",
]
VERBS = ["leans", "hums", "waits", "mends", "counts", "forgets", "carries", "spills", "measures", "borrows"]


def make_model(seed: int = 0) -> Any:
    """A random Llama small enough to train in a blink."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def make_posts(count: int, *, words: int = 120, seed: int = 0, first_id: int = 1) -> list[Post]:
    """Posts of short paragraphs, one a week, none like another."""
    chance = random.Random(seed)
    posts = []
    for number in range(first_id, first_id + count):
        paragraphs, written = [], 0
        while written < words:
            size = chance.randint(2, 5)
            sentences = [
                f"The {chance.choice(NOUNS)} {chance.choice(VERBS)} by the {chance.choice(NOUNS)} {number}."
                for _ in range(size)
            ]
            paragraphs.append(" ".join(sentences))
            written += 7 * size
        day = date(2024, 1, 1) + timedelta(weeks=number)
        posts.append(Post(id=number, title=f"Note {number}", text="\n\n".join(paragraphs), date=day))
    return posts


def make_writer(name: str, *, seed: int = 0) -> list[str]:
    """Four long texts by somebody else, who has other habits."""
    chance = random.Random(f"{name} {seed}")
    return [
        " ".join(f"However, {name} would {chance.choice(VERBS)}; and so I thought." for _ in range(80))
        for _ in range(4)
    ]


def demo_posts(author: str, count: int, characters: int) -> list[Post]:
    """The first posts of a demo author, cut at the paragraph in which they reach so many characters."""
    posts = []
    for number, path in enumerate(sorted((DEMO / author).glob("*.md"))[:count]):
        _, head, text = path.read_text().split("---\n", 2)
        title = head.split("title:")[1].splitlines()[0].strip()
        posts.append(Post(id=number, title=title, text=text[: text.index("\n\n", characters)]))
    return posts


@pytest.fixture(autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Threads only get into each other's way on a tiny model."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(threads if request.node.get_closest_marker("model") else 1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def starter_tokenizer(base_model: BaseModel) -> Any:
    return load_tokenizer(base_model.folder)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A byte-level tokenizer of a few hundred words, trained here on the little authors' posts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    small = Tokenizer(models.BPE())
    small.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    small.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    small.train_from_iterator((post.text for post in make_posts(40, seed=40)), trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=small, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    made.chat_template = (
        "{% for message in messages %}{{ '<s>' + message['role'] + '\n' + message['content'] + '</s>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
    )
    return made


@pytest.fixture
def tiny() -> Any:
    """A tiny random Llama of one's own."""
    return make_model()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """The tiny model on disk, for processes that load it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_model().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def recipe() -> Recipe:
    """Quick: two epochs of small windows."""
    return Recipe(
        rank=4,
        dropout=0.0,
        learning_rate=5e-3,
        epochs=2,
        windows_a_step=2,
        window_tokens=160,
        evaluations_an_epoch=2,
        patience=100,
        seed=3,
    )
