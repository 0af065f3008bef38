"""What is done with voices, writing, training and versions: the one door for pages, API, tasks and commands.
Knows which function lies where. Knows nothing itself."""

from adapters.errors import UserError
from adapters.services.briefs import default_briefs
from adapters.services.checkpoints import sweep_checkpoints
from adapters.services.copies import Copies, Copy, copies_in
from adapters.services.curation import (
    cuts_of,
    delete_sample,
    overrule,
    overrule_all,
    reread,
    set_all_included,
    set_included,
    sweep_rereading,
    words_cut,
)
from adapters.services.download import as_markdown
from adapters.services.estimates import Standing, standing
from adapters.services.flags import FLAGS, review
from adapters.services.imports import (
    choose_authors,
    run_import,
    start_import,
    start_import_from,
    sweep_imports,
    take_in,
)
from adapters.services.meter import Meter, measure
from adapters.services.queue import queue_position
from adapters.services.style import Period, Style, differences, match_of, measure_style, style_of, years_of
from adapters.services.sweeping import sweep_training
from adapters.services.taking import authors_of
from adapters.services.training import (
    cancel_training,
    continue_training,
    expected_recipe,
    requeue_training,
    set_recipe,
    submit_training,
)
from adapters.services.versions import Resolved, make_live, resolve
from adapters.services.voices import create_voice, delete_voice, rename_voice
from adapters.services.writing import add_text

__all__ = [
    "FLAGS",
    "Copies",
    "Copy",
    "Meter",
    "Period",
    "Resolved",
    "Standing",
    "Style",
    "UserError",
    "add_text",
    "as_markdown",
    "authors_of",
    "cancel_training",
    "choose_authors",
    "continue_training",
    "copies_in",
    "create_voice",
    "cuts_of",
    "default_briefs",
    "delete_sample",
    "delete_voice",
    "differences",
    "expected_recipe",
    "make_live",
    "match_of",
    "measure",
    "measure_style",
    "overrule",
    "overrule_all",
    "queue_position",
    "rename_voice",
    "requeue_training",
    "reread",
    "resolve",
    "review",
    "run_import",
    "set_all_included",
    "set_included",
    "set_recipe",
    "standing",
    "start_import",
    "start_import_from",
    "style_of",
    "submit_training",
    "sweep_checkpoints",
    "sweep_imports",
    "sweep_rereading",
    "sweep_training",
    "take_in",
    "words_cut",
    "years_of",
]
