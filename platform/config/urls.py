"""Which part of the site answers which address. Knows the apps' url modules. Knows no views of theirs."""

from django.contrib import admin
from django.urls import include, path

from config import views
from inference.admin import adapters_in_memory

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("accounts/", include("allauth.account.urls")),
    path("settings/", include("accounts.urls")),
    path("voices/", include("adapters.urls")),
    path("drafts/", include("inference.urls")),
    path("v1/", include("inference.api.urls")),
    path("admin/inference/adapters/", admin.site.admin_view(adapters_in_memory), name="adapters-in-memory"),
    path("admin/", admin.site.urls),
]
