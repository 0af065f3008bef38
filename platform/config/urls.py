"""Which part of the site answers which address. Knows the apps' url modules. Knows no views of theirs."""

from django.contrib import admin
from django.urls import include, path

from config import views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("accounts/", include("allauth.account.urls")),
    path("settings/", include("accounts.urls")),
    path("voices/", include("adapters.urls")),
    path("drafts/", include("inference.urls")),
    path("v1/", include("inference.api.urls")),
    path("admin/", admin.site.urls),
]
