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
    "import.xml_entities": "This file defines entities of its own, as files made to do harm do. Nothing of it was "
    "read.",
    "import.broken_json": "This file is damaged, so that nothing can be read. Export it again and upload that.",
    "import.broken_table": "This table is damaged at line {line}; what came before was read. Export it again to get "
    "the rest: posts that are here already are not imported twice.",
    "import.broken_post": "This post is damaged, so that it cannot be read. Export it again, or upload the post by "
    "itself.",
    "import.missing_text": "The export names this post, but its text is not in it. Export it again, or upload the post "
    "by itself.",
    "import.list_only": "This is only the list of your posts, without their texts. Upload the whole export, as the zip "
    "that it came in.",
    "import.nothing_found": "No posts were found in it.",
    "import.duplicate": "You already have this text: “{title}”.",
    "import.unreadable": "This file could not be read. Save it as plain text and upload it again.",
    # imports as a whole
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
