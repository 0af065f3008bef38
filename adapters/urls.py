"""Addresses of the voices' pages, under /voices/. Knows names and views. Knows nothing else."""

from django.urls import path

from adapters.views import events, imports, style, training, voices, writing

app_name = "voices"
urlpatterns = [
    path("", voices.voice_list, name="list"),
    path("new/", voices.voice_create, name="create"),
    path("<slug:slug>/", voices.voice_detail, name="detail"),
    path("<slug:slug>/rename/", voices.voice_rename, name="rename"),
    path("<slug:slug>/delete/", voices.voice_delete, name="delete"),
    path("<slug:slug>/writing/", writing.writing, name="writing"),
    path("<slug:slug>/writing/paste/", writing.paste, name="paste"),
    path("<slug:slug>/writing/upload/", imports.upload, name="upload"),
    path("<slug:slug>/writing/address/", imports.import_address, name="address"),
    path("<slug:slug>/writing/bulk/", writing.bulk, name="writing-bulk"),
    path("<slug:slug>/writing/download/", writing.download, name="writing-download"),
    path("<slug:slug>/writing/<int:pk>/", writing.sample, name="sample"),
    path("<slug:slug>/writing/<int:pk>/rules/", writing.sample_rules, name="sample-rules"),
    path("<slug:slug>/writing/<int:pk>/include/", writing.sample_include, name="sample-include"),
    path("<slug:slug>/writing/<int:pk>/delete/", writing.sample_delete, name="sample-delete"),
    path("<slug:slug>/imports/<int:pk>/", imports.import_detail, name="import"),
    path("<slug:slug>/imports/<int:pk>/take/", imports.import_take, name="import-take"),
    path("<slug:slug>/imports/<int:pk>/authors/", imports.import_authors, name="import-authors"),
    path("<slug:slug>/style/", style.style, name="style"),
    path("<slug:slug>/style/compare/", style.compare, name="style-compare"),
    path("<slug:slug>/style/check/", style.check, name="style-check"),
    path("<slug:slug>/style/checked/", style.checked, name="style-checked"),
    path("<slug:slug>/training/", training.training, name="training"),
    path("<slug:slug>/training/start/", training.train, name="train"),
    path("<slug:slug>/training/<int:pk>/", training.job_detail, name="job"),
    path("<slug:slug>/training/<int:pk>/events/", events.job_events, name="job-events"),
    path("<slug:slug>/training/<int:pk>/cancel/", training.job_cancel, name="job-cancel"),
    path("<slug:slug>/training/<int:pk>/continue/", training.job_continue, name="job-continue"),
    path("<slug:slug>/versions/<int:number>/live/", training.version_live, name="version-live"),
]
