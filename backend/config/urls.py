"""Every address there is."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from backend.accounts.api import admin_login
from backend.config.headers import HEALTH
from backend.config.settings import APPS
from backend.config.views import health, page

urlpatterns = [
    path(HEALTH.removeprefix("/"), health),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema")),
    *(path("api/", include(f"backend.{app}.urls")) for app in APPS),
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
    # Everything else is a place inside the page, which finds it by itself.
    re_path(r"^(?!api/|static/|assets/).*$", page),
]
