"""The whole way in a real browser, on both sizes of screen: from the front page to a draft in one's own voice.

Everybody does everything, but on two cores a training takes minutes: there is one, which its author starts at the desk
and sees live and ending on a phone too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Visitor

DEMO = Path(__file__).resolve().parents[2] / "demo"
AUTHORS = {"desktop": "maren-oakes", "phone": "ignatius-bell"}
POSTS = 8
TRAINED_WITHIN = 900_000
PASSWORD = "grease gun, second hook"

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(1500)]


def sign_up(visitor: Visitor, site: Site, address: str) -> None:
    page = visitor.page
    page.goto("/")
    visitor.look("home")
    page.get_by_role("link", name="Sign up").first.click()
    page.get_by_label("Email").fill(address)
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("at least 10 characters").first).to_be_visible()
    visitor.look("signup-refused")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    visitor.look("mail-sent")
    page.goto(site.link_mailed_to(address, "confirm-email"))
    page.get_by_role("button", name="Yes, confirm it").click()
    expect(page).to_have_url(re.compile("/voices/$"))


def log_out(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/settings/")
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/$"))


def log_in(visitor: Visitor, address: str) -> None:
    page = visitor.page
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile("/voices/$"))


def bring_in_writing(visitor: Visitor) -> None:
    page = visitor.page
    expect(page).to_have_url(re.compile("/voices/$"))
    visitor.look("voices-empty")
    page.get_by_role("main").get_by_role("link", name=re.compile("voice", re.IGNORECASE)).first.click()
    page.get_by_label("Name").fill("Slack Water")
    page.get_by_role("button", name="Make the voice").click()
    expect(page).to_have_url(re.compile("/slack-water/writing/$"))
    visitor.look("writing-empty")
    visit_tab(page, "Overview")
    visitor.look("voice-empty")
    page.get_by_role("link", name="Add writing").click()
    posts = sorted((DEMO / AUTHORS[visitor.device]).glob("*.md"))[:POSTS]
    page.locator("input[type=file]").set_input_files(posts[:3])
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page).to_have_url(re.compile(r"/imports/\d+/"))
    expect(page.get_by_text("3 of 3 posts were added")).to_be_visible(timeout=30_000)
    visitor.look("import")
    visit_tab(page, "Training")
    expect(page.get_by_text("Not enough writing yet")).to_be_visible()
    visitor.look("training-not-enough")
    visit_tab(page, "Writing")
    page.locator("input[type=file]").set_input_files(posts)
    page.get_by_role("button", name="Upload", exact=True).click()
    # The three from before are not taken twice.
    expect(page.get_by_text(f"{POSTS - 3} of {POSTS} posts were added")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("3 were here already.")).to_be_visible()
    visitor.look("import-duplicates")
    visit_tab(page, "Writing")
    visitor.look("writing")


def visit_tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Slack Water").get_by_role("link", name=name).click()


def train(visitors: list[Visitor]) -> None:
    desk = visitors[0].page
    visit_tab(desk, "Training")
    desk.get_by_role("button", name="Train the voice").click()
    expect(desk).to_have_url(re.compile(r"/training/\d+/"))
    expect(desk.locator("[data-word=step]")).to_be_visible(timeout=300_000)
    for visitor in visitors:
        # What was said before one came is there, and it goes on from there.
        visitor.page.goto(desk.url)
        expect(visitor.page.locator("[data-word=step]")).to_be_visible()
        visitor.look("training-running")
    for visitor in visitors:
        expect(visitor.page.get_by_text("is live").first).to_be_visible(timeout=TRAINED_WITHIN)
        visitor.look("training-finished")


def draft(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("link", name="Draft with it").click()
    visitor.look("draft-new")
    page.get_by_label("What should it be about?").fill("The morning a man brought a beehive on board.")
    page.get_by_role("button", name="Write").click()
    words, copies = page.locator("[data-words]"), page.get_by_role("button", name="Copy")
    expect(words.first).to_have_text(re.compile(r"\w+ \w+ \w+"), timeout=60_000)
    visitor.look("draft-writing")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped").first).to_be_visible()
    kept = words.first.inner_text()
    page.get_by_text("Short", exact=True).click()
    page.get_by_role("button", name="Write again").click()
    expect(copies).to_have_count(2, timeout=180_000)
    expect(words.nth(1)).to_have_text(kept)
    visitor.look("draft")
    page.get_by_label("Written by").select_option(label="The base model, without your voice")
    page.get_by_role("button", name="Write again").click()
    expect(copies).to_have_count(3, timeout=180_000)
    visitor.look("draft-both")


def make_key(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/settings/")
    page.get_by_label("What is it for?").fill("Newsletter")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text(re.compile(r"idk-[\w-]{43}")).first).to_be_visible()
    visitor.look("settings-key")


def test_an_author_comes_with_posts_and_leaves_with_drafts_in_their_voice(visitors: list[Visitor], site: Site) -> None:
    addresses = {visitor.device: f"{visitor.device}@example.org" for visitor in visitors}
    for visitor in visitors:
        sign_up(visitor, site, addresses[visitor.device])
        log_out(visitor)
        log_in(visitor, addresses[visitor.device])
        bring_in_writing(visitor)
        visit_tab(visitor.page, "Training")
        visitor.look("training-ready")
    desk, phone = visitors
    log_out(phone)
    log_in(phone, addresses[desk.device])
    train(visitors)
    for visitor in visitors:
        draft(visitor)
        visitor.page.goto("/drafts/")
        visitor.look("drafts")
        visitor.page.goto("/voices/")
        visitor.look("voices")
        visitor.page.goto("/voices/slack-water/")
        visitor.look("voice")
        make_key(visitor)


EXPORT = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>
<title>Tides</title><wp:wxr_version>1.2</wp:wxr_version>{items}</channel></rss>"""
ITEM = """<item><title>{title}</title><dc:creator>{author}</dc:creator><guid>https://tides.example/?p={id}</guid>
<content:encoded><![CDATA[{body}]]></content:encoded><wp:post_id>{id}</wp:post_id>
<wp:post_date>2024-01-{id:02} 10:00:00</wp:post_date><wp:status>{status}</wp:status><wp:post_type>post</wp:post_type>
</item>"""


def exported(folder: Path) -> Path:
    """A blog's export: three posts, one with a quotation, a draft, and a guest's."""
    body = "<p>The ferry was late, and the tide was not.</p>" + "<p>I counted the chain, link by link.</p>" * 12
    posts = [
        {
            "title": "Slack Water",
            "author": "maren",
            "status": "publish",
            "body": body + "<blockquote>Hers.</blockquote>",
        },
        {"title": "The Chain", "author": "maren", "status": "publish", "body": body.replace("late", "early")},
        {"title": "Not Yet", "author": "maren", "status": "draft", "body": "<p>It is not finished.</p>"},
        {"title": "A Guest", "author": "guest", "status": "publish", "body": "<p>I was only asked to look in.</p>"},
    ]
    items = "".join(ITEM.format(id=number, **post) for number, post in enumerate(posts, start=1))
    path = folder / "tides.xml"
    path.write_text(EXPORT.format(items=items))
    return path


def curate(visitor: Visitor, export: Path) -> None:
    page = visitor.page
    page.goto("/voices/new/")
    page.get_by_label("Name").fill("Slack Water")
    page.get_by_role("button", name="Make the voice").click()
    page.locator("input[type=file]").set_input_files(export)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("2 of 4 posts were added")).to_be_visible(timeout=30_000)
    visitor.look("import-export", accessible=True)
    page.get_by_role("checkbox", name=re.compile("Not Yet")).check()
    page.get_by_role("button", name="Add the ticked posts").click()
    expect(page.get_by_text("3 of 4 posts were added")).to_be_visible(timeout=30_000)
    page.get_by_role("checkbox", name=re.compile("^guest")).check()
    page.get_by_role("button", name="Take these authors’ posts").click()
    expect(page.get_by_text("4 of 4 posts were added")).to_be_visible(timeout=30_000)
    visit_tab(page, "Writing")
    expect(page.get_by_role("heading", name="4 texts")).to_be_visible()
    visitor.look("curation", accessible=True)
    page.get_by_label("Show", exact=True).select_option(label="To look at")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("[34] texts"))).to_be_visible()
    page.get_by_role("checkbox", name="Tick “A Guest”").check()
    page.get_by_role("button", name="Leave out").click()
    expect(page.get_by_role("switch", name=re.compile("A Guest"))).to_have_attribute("aria-checked", "false")
    visit_tab(page, "Writing")
    page.get_by_role("link", name="Slack Water", exact=True).last.click()
    expect(page.locator("del.cut")).to_contain_text("Hers.")
    visitor.look("sample-cuts", accessible=True)
    page.get_by_role("button", name="Quotation: Read it here").click()
    expect(page.locator("del.cut")).to_have_count(0)


def test_an_author_brings_in_a_blog_and_decides_what_is_read(
    visitors: list[Visitor], site: Site, tmp_path: Path
) -> None:
    export = exported(tmp_path)
    for visitor in visitors:
        address = f"curator-{visitor.device}@example.org"
        sign_up(visitor, site, address)
        curate(visitor, export)


def see_style(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/voices/new/")
    page.get_by_label("Name").fill("Slack Water")
    page.get_by_role("button", name="Make the voice").click()
    visit_tab(page, "Style")
    visitor.look("style-empty", accessible=True)
    page.get_by_role("link", name="Add writing").click()
    page.locator("input[type=file]").set_input_files(sorted((DEMO / AUTHORS[visitor.device]).glob("*.md")))
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("posts were added")).to_be_visible(timeout=60_000)
    visit_tab(page, "Style")
    expect(page.get_by_role("heading", name="Punctuation")).to_be_visible(timeout=60_000)
    expect(page.locator("[data-bars] svg rect").first).to_be_visible()
    visitor.look("style", accessible=True)
    page.get_by_label("Measure").select_option(label="Commas")
    expect(page.locator("#over-time .label", has_text="Commas")).to_be_visible()
    expect(page.locator("[data-years] svg circle").first).to_be_visible()
    shown = page.locator(".evidence").first
    sentence = shown.locator("p").inner_text()
    shown.get_by_role("link").click()
    expect(page.get_by_role("region", name="What the model reads")).to_contain_text(sentence)
    visit_tab(page, "Style")
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_text(re.compile("Difference|No difference")).first).to_be_visible(timeout=60_000)
    visitor.look("style-compare", accessible=True)
    visit_tab(page, "Style")
    page.get_by_role("link", name="Check a text").click()
    box = page.get_by_label("Text", exact=True)
    box.press_sequentially(f"I read it again. {sentence}", delay=1)
    expect(page.get_by_text("Paragraph by paragraph")).to_be_visible()
    box.fill("Pursuant to the provisions hereof, the undersigned shall remit the aforementioned deliverables. " * 4)
    expect(page.get_by_text(re.compile("^Unlike you, ")).first).to_be_visible()
    visitor.look("style-check", accessible=True)


def test_an_author_sees_how_they_write(visitors: list[Visitor], site: Site) -> None:
    for visitor in visitors:
        sign_up(visitor, site, f"stylist-{visitor.device}@example.org")
        see_style(visitor)


def test_a_lost_visitor_is_told_where_they_are(visitors: list[Visitor]) -> None:
    for visitor in visitors:
        visitor.page.goto("/voices/nobodys/")
        expect(visitor.page).to_have_url(re.compile("/accounts/login/"))
        response = visitor.page.goto("/nowhere/")
        assert response is not None
        assert response.status == 404
        visitor.complaints.clear()  # the browser reports the 404 itself
        visitor.look("not-found")
        expect(visitor.page.get_by_role("link", name="Idiolect").first).to_be_visible()
