from django.urls import path

from backend.accounts.api import PasswordView, PreferencesView, SessionView, TokenView

urlpatterns = [
    path("session/", SessionView.as_view()),
    path("token/", TokenView.as_view()),
    path("me/password/", PasswordView.as_view()),
    path("me/preferences/", PreferencesView.as_view()),
]
