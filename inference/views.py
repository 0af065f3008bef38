"""The pages of drafting. Knows requests and templates.
Knows nothing of engines: texts are written while they are read (see `inference.writing`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from adapters.models import Voice
from inference import services, sse, writing
from inference.forms import GenerationForm, NewDraftForm
from inference.models import Draft, Generation

DRAFTS_A_PAGE = 20


@login_required
@require_GET
def draft_list(request: HttpRequest) -> HttpResponse:
    last = Draft.objects.all().visible_to(request.user).select_related("voice").first()
    return _list_page(request, NewDraftForm(request.user, initial={"voice": last and last.voice.slug}))


@login_required
def draft_create(request: HttpRequest) -> HttpResponse:
    """Called from wherever a brief can be typed; a plain visit gets the list, where one can be typed too."""
    if request.method != "POST":
        return redirect("drafts:list")
    form = NewDraftForm(request.user, request.POST)
    if not form.is_valid():
        return _list_page(request, form)
    voice, brief = form.cleaned_data["voice"], form.cleaned_data["brief"]
    return redirect("drafts:detail", services.start_draft(voice=voice, owner=request.user, brief=brief).pk)


@login_required
@require_GET
def draft_detail(request: HttpRequest, pk: int) -> HttpResponse:
    draft = _draft(request, pk)
    return _draft_page(request, draft, GenerationForm(draft))


@login_required
@require_POST
def generate(request: HttpRequest, pk: int) -> HttpResponse:
    draft = _draft(request, pk)
    form = GenerationForm(draft, request.POST)
    if not form.is_valid():
        return _draft_page(request, draft, form)
    chosen = form.cleaned_data
    services.start_generation(
        draft=draft,
        brief=chosen["brief"],
        version=form.version,
        temperature=chosen["temperature"],
        length=chosen["length"],
        seed=chosen["seed"],
    )
    return redirect("drafts:detail", draft.pk)


@login_required
@require_POST
def draft_delete(request: HttpRequest, pk: int) -> HttpResponse:
    services.delete_draft(draft=_draft(request, pk))
    return redirect("drafts:list")


@login_required
@require_POST
def generation_stop(request: HttpRequest, draft_pk: int, pk: int) -> HttpResponse:
    texts = Generation.objects.all().visible_to(request.user)
    services.stop_generation(generation=get_object_or_404(texts, pk=pk, draft=draft_pk))
    return redirect("drafts:detail", draft_pk)


@login_required
@require_GET
async def generation_stream(request: HttpRequest, draft_pk: int, pk: int) -> StreamingHttpResponse:
    """The text as it is written: events for the page's script, plain text for everybody else."""
    texts = Generation.objects.all().visible_to(await request.auser()).select_related("draft")
    events = writing.read(await aget_object_or_404(texts, pk=pk, draft=draft_pk))
    if "text/event-stream" in request.headers.get("Accept", ""):
        return sse.response(_as_events(events))
    return sse.response(_as_text(events), "text/plain; charset=utf-8")


async def _as_events(events: AsyncGenerator[writing.Event]) -> AsyncGenerator[bytes]:
    try:
        async for event in events:
            match event:
                case None:
                    yield sse.KEEP_ALIVE
                case writing.Written():
                    yield sse.event(asdict(event), "text")
                case writing.Ended():
                    yield sse.event(asdict(event), "end")
    finally:
        await events.aclose()


async def _as_text(events: AsyncGenerator[writing.Event]) -> AsyncGenerator[bytes]:
    try:
        async for event in events:
            match event:
                case writing.Written(text=text):
                    yield text.encode()
                case writing.Ended(message=message) if message:
                    yield f"\n\n{message}\n".encode()
    finally:
        await events.aclose()


def _draft(request: HttpRequest, pk: int) -> Draft:
    return get_object_or_404(Draft.objects.all().visible_to(request.user).select_related("voice__owner"), pk=pk)


def _list_page(request: HttpRequest, form: NewDraftForm) -> HttpResponse:
    """All drafts, or those of the voice that the address names, under that voice's tabs."""
    voices = Voice.objects.all().visible_to(request.user)
    voice = voices.filter(slug=request.GET.get("voice", "")).first()
    drafts = Draft.objects.all().visible_to(request.user).for_list()
    page = Paginator(drafts.filter(voice=voice) if voice else drafts, DRAFTS_A_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": page, "voice": voice, "voices": voices}
    return render(request, "drafts/voice_list.html" if voice else "drafts/list.html", context)


def _draft_page(request: HttpRequest, draft: Draft, form: GenerationForm) -> HttpResponse:
    newest_first = draft.generations.select_related("version")
    # An earlier attempt that came to nothing has nothing to show.
    texts = [text for number, text in enumerate(newest_first) if number == 0 or text.text]
    context = {"draft": draft, "voice": draft.voice, "form": form, "texts": texts}
    return render(request, "drafts/detail.html", context)
