"""The style benchmark: parts, batches of many voices, a run that goes on, and what the judges' table says."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import replace

import pytest

from adapters.style.meter import words
from adapters.training.dataset import Post
from bench.style import judging, plan
from bench.style.__main__ import main
from bench.style.authors import excerpts, parted, read, write
from bench.style.run import Run
from tests.inference import tiny


def post(number: int, size: int = 300, word: str = "word") -> Post:
    return Post(id=number, title=f"Title {number}", text=" ".join(f"{word}{number}x{place}" for place in range(size)))


def test_no_post_is_in_two_parts_and_each_part_has_its_share():
    author = parted("ada", [post(number) for number in range(40)], seed=0)

    found = {name: {one.id for one in author.part(name)} for name in ("A", "B", "C")}
    assert {len(found["A"]), len(found["B"]), len(found["C"])} == {24, 10, 6}
    assert set.union(*found.values()) == set(range(40))
    assert parted("ada", [post(number) for number in range(40)], seed=1).parts != author.parts


def test_an_author_with_few_posts_has_three_of_each_part_or_is_refused():
    assert Counter(parted("ada", [post(number) for number in range(9)], seed=0).parts.values()) == {
        "A": 3,
        "B": 3,
        "C": 3,
    }
    with pytest.raises(ValueError, match="ada has 8 posts"):
        parted("ada", [post(number) for number in range(8)], seed=0)


def test_authors_come_back_from_their_file(tmp_path):
    authors = [parted("ada", [post(number) for number in range(12)], seed=0)]
    write(authors, tmp_path / "posts.json")

    assert read(tmp_path / "posts.json") == authors


@pytest.mark.parametrize("total", [200, 900, 2500])
def test_a_small_author_made_of_a_large_one_has_the_words_asked_for(total):
    posts = [
        replace(post(number), text="\n\n".join(post(part, 50, f"p{number}").text for part in range(20)))
        for number in range(8)
    ]
    found = excerpts(posts, total, at_least=4)

    assert total - 51 * len(found) <= sum(words(one.text) for one in found) <= total
    assert all(posts[place].text.startswith(one.text[:200]) for place, one in enumerate(found))


def test_a_run_goes_on_where_it_ended_but_not_with_other_settings(tmp_path):
    run = Run(tmp_path / "run.json", {"seed": 1})
    run.texts["a"] = {"text": "Ärger"}
    run.save()

    assert Run(tmp_path / "run.json", {"seed": 1}).texts == {"a": {"text": "Ärger"}}
    with pytest.raises(SystemExit, match="other settings"):
        Run(tmp_path / "run.json", {"seed": 2})


@pytest.fixture
def tokenizer():
    return tiny.tokenizer()


def test_a_voice_reads_only_part_a_of_its_own_author_and_no_more_than_asked(authors):
    for voice in plan.main_voices(authors, 0, 1000):
        (author,) = [author for author in authors if author.slug == voice.author]
        assert {post.id for post in voice.job.posts} <= {post.id for post in author.part("A")}
        assert voice.words == sum(words(post.text) for post in voice.job.posts) <= 1000
    for voice in plan.ablation_voices(authors, 0, [300, 900], [0.0, 1.0]):
        (author,) = [author for author in authors if author.slug == voice.author]
        assert {post.id for post in voice.job.posts} <= {post.id for post in author.part("A")}
        assert sum(words(post.text) for post in voice.job.posts) <= voice.words


def test_every_condition_asks_for_the_same_and_shows_posts_of_part_a_only(authors, tokenizer):
    texts = list(plan.main_texts(authors, tokenizer, 3, 0))
    conditions = {"base", "base + 5", "voice", "voice + 5", "another's voice"}

    assert len({text.request.key for text in texts}) == len(texts) == 2 * 2 * 3 * len(conditions)
    for author in authors:
        mine = [text for text in texts if text.author == author.slug]
        asked = {name: [text.request.brief for text in mine if text.condition == name] for name in conditions}
        assert len(set(map(tuple, asked.values()))) == 1
        held_out = {post.title for post in author.part("C")}
        assert {text.request.brief for text in mine if text.briefs == "own"} <= held_out
        shown = {title for text in mine for title, _ in text.request.examples}
        assert shown
        assert shown <= {post.title for post in author.part("A")}
        assert {text.condition for text in mine if text.request.examples} == {"base + 5", "voice + 5"}
        assert author.slug not in {text.request.voice for text in mine if text.condition == "another's voice"}
        assert {text.request.voice for text in mine if text.condition.startswith("voice")} == {author.slug}


def test_all_phases_run_and_a_second_call_has_nothing_left_to_do(tmp_path, tokenizer, monkeypatch, capsys):
    for slug in ("ada", "bob"):
        with zipfile.ZipFile(tmp_path / f"{slug}.zip", "w") as archive:
            for number in range(12):
                archive.writestr(f"{slug}/{number:02}.txt", f"{slug} {number}\n\n{style(slug, number, 330)}\n")
    model = tiny.model()
    model.config.max_position_embeddings = 2048
    monkeypatch.setattr("bench.style.generate.load", lambda *_, **__: (model, tokenizer))
    where = {"--authors": tmp_path, "--posts": tmp_path / "p.json", "--out": tmp_path / "r.json", "--results": tmp_path}
    call = ["bench.style", "--tiny", "--texts", "1", *(str(part) for pair in where.items() for part in pair)]
    monkeypatch.setattr("sys.argv", call)
    main()
    first = (tmp_path / "r.json").read_text()
    monkeypatch.setattr("sys.argv", [*call, "generate"])
    capsys.readouterr()
    main()

    (file,) = tmp_path.glob("*-main-tiny-*.json")
    rows = json.loads(file.read_text())["rows"]
    assert {row["condition"] for row in rows} == {
        *("base", "base + 5", "voice", "voice + 5", "another's voice", "the author")
    }
    assert {"machine", "versions", "commit", "seed"} <= json.loads(file.read_text()).keys()
    wanted = {
        "condition",
        "authors",
        "posts",
        "top1",
        "top5",
        "low",
        "high",
        "fidelity",
        "bits_per_byte",
        "longest_copy",
    }
    assert all(wanted <= row.keys() for row in rows if row["judge"] != "likelihood")
    assert json.loads(first)["texts"].keys() == json.loads((tmp_path / "r.json").read_text())["texts"].keys()
    assert "wrote" not in capsys.readouterr().out


def style(word: str, number: int, size: int = 900) -> str:
    # Nobody shares a run of 13 tokens with anybody, nor with themselves in another post.
    return " ".join(f"{word} the {word}{number}q{place}" for place in range(size // 3))


@pytest.fixture
def authors():
    found = []
    for first, slug in ((100, "ada"), (200, "bob")):
        posts = [Post(id=first + n, title=f"{slug} {n}", text=style(slug, first + n)) for n in range(12)]
        found.append(parted(slug, posts, seed=0))
    return found


def run_file(tmp_path, authors, texts, costs=()):
    settings = {"seed": 0, "ablation": False, "tiny": False, "base": "tiny"}
    run = Run(tmp_path / "run.json", settings)
    for author in authors:
        run.voices[author.slug] = {"author": author.slug, "words": 1}
    for number, (condition, author, voice, text) in enumerate(texts):
        run.texts[str(number)] = {
            "condition": condition,
            "author": author,
            "voice": voice,
            "briefs": "own",
            "brief": "",
            "text": text,
        }
    for cost in costs:
        run.costs[str(len(run.costs))] = cost
    run.save()
    return run.file


def judged(tmp_path, authors, *arguments) -> dict[tuple[str, str], dict]:
    file = judging.judge_run([run_file(tmp_path, authors, *arguments)], authors, tmp_path / "results")
    return {(row["judge"], row["condition"]): row for row in json.loads(file.read_text())["rows"]}


def test_the_table_tells_voices_from_the_base_between_base_and_human(tmp_path, authors):
    texts = [("base", slug, None, style("ada", 900 + n)) for slug in ("ada", "bob") for n in range(4)]
    texts += [("voice", slug, slug, style(slug, 950 + n)) for slug in ("ada", "bob") for n in range(4)]
    rows = judged(tmp_path, authors, texts)

    assert rows["characters", "base"]["top1"] == 0.5  # everything sounds like Ada
    assert rows["characters", "base"]["fidelity"] == 0
    assert rows["characters", "voice"]["top1"] == rows["characters", "the author"]["top1"] == 1
    assert rows["characters", "voice"]["fidelity"] == 1
    assert (rows["characters", "base"]["low"], rows["characters", "base"]["high"]) == (0, 1)


def test_a_copied_text_counts_as_wrong_however_well_it_sounds(tmp_path, authors):
    own = authors[0].part("A")[0].text
    fresh = style("ada", 990)
    copied = " ".join([*own.split()[2:15], "stop", fresh])
    shorter = " ".join([*own.split()[2:14], "stop", fresh])
    texts = [("base", "ada", None, fresh), ("voice", "ada", "ada", copied), ("voice", "ada", "ada", shorter)]
    texts += [("base", "bob", None, fresh), ("voice", "bob", "bob", style("bob", 991))]
    row = judged(tmp_path, authors, texts)["characters", "voice"]

    assert row["top1_of_each"] == {"ada": 0.5, "bob": 1}
    assert (row["copied"], row["longest_copy"]) == (1, 13)


def test_a_text_is_also_searched_for_what_the_other_author_wrote(tmp_path, authors):
    stolen = authors[1].part("A")[0].text
    texts = [("base", "ada", None, style("ada", 990)), ("another's voice", "ada", "bob", stolen)]
    texts += [("base", "bob", None, style("ada", 991))]

    assert judged(tmp_path, authors, texts)["characters", "another's voice"]["longest_copy"] > 500


def test_likelihood_gives_each_held_out_post_to_the_voice_that_expects_it(tmp_path, authors):
    posts = [post for author in authors for post in author.part("C")]
    bits = {author.slug: {post.id for post in author.part("C")} for author in authors}
    bits["ada"].add(authors[1].part("C")[0].id)  # Ada's voice finds one of Bob's likely, too
    costs = [
        {
            "voice": slug,
            "author": None,
            "examples": 0,
            "posts": [
                [one.id, 70 if slug == "ada" and one.id in own else 80 if one.id in own else 90, 100] for one in posts
            ],
        }
        for slug, own in bits.items()
    ]
    texts = [("base", slug, None, style("ada", 990)) for slug in ("ada", "bob")]
    row = judged(tmp_path, authors, texts, costs)["likelihood", "the author"]

    assert row["top1_of_each"] == {"ada": 1, "bob": round(1 - 1 / len(authors[1].part("C")), 4)}
    assert row["authors_right"] == 2
    assert row["posts"] == len(posts)


def test_a_judge_is_never_shown_what_a_voice_has_read_or_is_measured_on(authors):
    lessons, _ = judging._lessons(authors, seed=0)
    other = [one.text for author in authors for name in ("A", "C") for one in author.part(name)]

    assert lessons
    assert not any(lesson in text for lesson in lessons for text in other)
