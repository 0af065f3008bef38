"""Addresses of the drafting pages, under /drafts/. Knows names and views. Knows nothing else."""

from django.urls import path

from inference import views

app_name = "drafts"
urlpatterns = [
    path("", views.draft_list, name="list"),
    path("new/", views.draft_create, name="create"),
    path("<int:pk>/", views.draft_detail, name="detail"),
    path("<int:pk>/write/", views.generate, name="generate"),
    path("<int:pk>/delete/", views.draft_delete, name="delete"),
    path("<int:draft_pk>/texts/<int:pk>/stream/", views.generation_stream, name="generation-stream"),
    path("<int:draft_pk>/texts/<int:pk>/stop/", views.generation_stop, name="generation-stop"),
]
