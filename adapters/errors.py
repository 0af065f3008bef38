"""What goes wrong for a reason that its author can mend: an id and one table of texts.
Knows the sentences. Knows nothing of Django, pages or what raised it."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    # files that an import leaves out
    "import.empty": "The file is empty.",
    "import.not_text": "This is not a text file. Save it as plain text or Markdown and upload it again.",
    "import.too_large": "{size} MB is too large: a file may have up to {limit} MB. Split it, or export it in parts.",
    "import.long_post": "{size} MB are too much for one post: up to {limit} MB are read. Split it into single posts.",
    "import.unknown_format": "No format is known that this file could be in. Upload a blog’s export, a zip of posts, "
    "or single posts as text, Markdown, HTML, Word, OpenDocument, EPUB, PDF or mail.",
    "import.wrong_ending": "It is called {ending}, but it is none. Save it again in the program that it comes from.",
    "import.nothing_to_read": "Nothing is left to read without its code, images and quotations.",
    "import.broken_zip": "This zip is damaged, or was not uploaded whole. Export it again and upload it once more.",
    "import.encrypted_zip": "This zip is locked with a password. Unpack it, pack it again without one, and upload "
    "that.",
    "import.too_many_entries": "There are {count} files in this zip; up to {limit} are read. Pack only your posts.",
    "import.zip_bomb": "{name} unpacks to far more than it seems, as files made to do harm do. Nothing of it was read.",
    "import.broken_zip_entry": "{name} in this zip is damaged. Export it again and upload it once more.",
    "import.nested_zip": "A zip within a zip is not opened. Upload it by itself.",
    "import.broken_xml": "This file is damaged at line {line}, so that nothing can be read. Export it again.",
    "import.truncated_xml": "The file breaks off at line {line}; what came before was read. Export it again to get the "
    "rest: posts that are here already are not imported twice.",
    "import.repaired_xml": "The file is damaged from line {line} on. It was repaired, and a few words may be missing "
    "there: look over the posts.",
    "import.repaired_page": "The feed’s page {address} is damaged from line {line} on. It was repaired, and a few "
    "words may be missing there: look over the posts.",
    "import.xml_entities": "This file defines entities of its own, as files made to do harm do. Nothing of it was "
    "read.",
    "import.encrypted_document": "This file is locked with a password. Open it, save it without one, and upload that.",
    "import.scanned_pdf": "This PDF holds pictures of pages, not text. Run it through a program that reads scans, or "
    "upload the text that it was made from.",
    "import.many_pages": "This file has {count} pages; up to {limit} are read. Split it into single posts or books.",
    "import.slow_pdf": "This PDF is so tangled that only {count} of its pages could be read. Upload the text that it "
    "was made from.",
    "import.large_document": "There is too much text in this file for one document. Split it into single posts.",
    "import.old_word": "This is a document of an old Word. Save it as .docx and upload that.",
    "import.other_archive": "Archives of this kind are not opened. Unpack it, pack it as a zip, and upload that.",
    "import.broken_json": "This file is damaged, so that nothing can be read. Export it again and upload that.",
    "import.excerpts_only": "This feed carries only excerpts of its {count} posts, and from those no voice can be "
    "learned. Set the blog to full text in feeds, or upload the blog’s export instead.",
    "import.broken_table": "This table is damaged at line {line}; what came before was read. Export it again to get "
    "the rest: posts that are here already are not imported twice.",
    "import.broken_post": "This post is damaged, so that it cannot be read. Export it again, or upload the post by "
    "itself.",
    "import.missing_text": "The export names this post, but its text is not in it. Export it again, or upload the post "
    "by itself.",
    "import.list_only": "This is only the list of your posts, without their texts. Upload the whole export, as the zip "
    "that it came in.",
    "import.nothing_found": "No posts were found in it.",
    # addresses that an import reads
    "import.address_wrong": "This is no address of a page or feed. It begins with https:// or http://.",
    "import.address_credentials": "This address has a password in it. Use one without, or upload the blog’s export.",
    "import.address_port": "Port {port} is not one that blogs have. Use an address without a port.",
    "import.address_unknown": "{host} was not found. Look at the address for a slip of the pen.",
    "import.address_private": "{host} is not on the public internet, and only what is can be read. Upload the blog’s "
    "export instead.",
    "import.address_redirects": "This address leads on to another more than {limit} times. Use the one it ends at.",
    "import.address_slow": "The server did not send it all within {seconds} seconds. Try again later, or upload the "
    "blog’s export.",
    "import.address_silent": "{host} does not answer as web servers do. Look at the address, or try again later.",
    "import.address_large": "There is more than {limit} MB at this address. Upload the blog’s export instead.",
    "import.address_locked": "{host} does not let everybody read this ({status}). Upload the blog’s export instead.",
    "import.address_gone": "There is nothing at this address any more ({status}). Look up the blog’s feed.",
    "import.address_failed": "{host} answered with an error ({status}). Try again later.",
    "import.address_type": "There is a file of type {kind} at this address, which is no feed and no page. Download it "
    "and upload it here.",
    "import.address_no_feed": "The page names a feed at {address} that is none. Upload the blog’s export instead.",
    "import.address_no_page": "Its next page, {address}, is no feed. Upload the blog’s export instead.",
    "import.address_many_pages": "It goes on for more than {limit} pages. Upload the blog’s export instead.",
    "import.address_some_pages": "This feed was read up to page {count}, and what comes after it is missing. {why}",
    "import.duplicate": "You already have this text: “{title}”.",
    "import.unreadable": "This file could not be read. Save it as plain text and upload it again.",
    # imports as a whole
    "import.no_address": "Write the whole address of your blog or its feed, such as https://example.org/feed.",
    "import.no_files": "Choose at least one file.",
    # single texts
    "writing.empty": "There is no text here yet. Paste a post and add it again.",
    "writing.too_large": "This is {size} MB of text; a post may have up to {limit} MB. Add it in parts.",
    # voices
    "voice.no_name": "Give the voice a name.",
    "voice.long_name": "The name has {length} characters; up to {limit} fit.",
    # the site
    "site.no_base_model": "The base model is not installed on this site yet. Its operator has to run "
    "`manage.py fetch_base_model`; then try again.",
    # training
    "training.not_ready": "{sentence}",
    "training.active": "This voice is already being trained. Wait until that is done, or cancel it first.",
    "training.too_many_of_yours": "{count} of your trainings are waiting or running, and no more are taken from one "
    "author at a time. Wait until one is done, or cancel one.",
    "training.queue_full": "Too many trainings are waiting on this site for another one. Try again in an hour.",
    "training.too_many_briefs": "These are {count} subjects to write about; up to {limit} are written while it learns.",
    "training.long_brief": "A subject to write about may have up to {limit} characters.",
    "training.no_checkpoint": "Nothing of this training is saved any more. Train anew instead.",
    "training.changed_writing": "Your writing has changed since this training stopped, so it cannot go on. Train anew: "
    "that reads your writing as it is now.",
    "training.changed_base": "This site has got another base model since this training stopped, so it cannot go on. "
    "Train anew instead.",
    "training.changed_recipe": "How this voice is trained was changed since this training stopped, so it cannot go on. "
    "Train anew instead.",
    "training.child_died": "Training stopped unexpectedly {attempts} times. Try again later; if it happens again, "
    "tell the site's operator.",
    "training.worker_lost": "The machine that trained this voice went away {attempts} times. Try again later; if it "
    "happens again, tell the site's operator.",
    "training.not_stored": "The finished voice could not be stored. Tell the site's operator, and train again when "
    "there is room on the disk.",
    "version.not_usable": "Version {number} did not beat the base model, so it cannot be made live.",
}


class UserError(Exception):
    """A person's mistake or bad luck. `str()` is the sentence that says what to do about it."""

    def __init__(self, id: str, **context: object) -> None:
        super().__init__(say(id, **context))
        self.id = id


def say(id: str, **context: object) -> str:
    """The sentence for `id`, filled in."""
    return TEXTS[id].format(**context)
