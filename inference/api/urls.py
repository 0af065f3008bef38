"""Addresses of the API, under /v1/. Knows names and views. Knows nothing else."""

from django.urls import path, re_path

from inference.api import views
from inference.api.endpoint import Nothing

app_name = "api"
urlpatterns = [
    path("models", views.ModelList.as_view(), name="models"),
    path("models/<path:name>", views.ModelDetail.as_view(), name="model"),
    path("completions", views.Completions.as_view(), name="completions"),
    path("chat/completions", views.ChatCompletions.as_view(), name="chat-completions"),
    re_path("", Nothing.as_view()),
]
