"""Logging in: a session for the browser, a token for scripts."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect, ensure_csrf_cookie
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from backend.accounts.errors import LoginFailed
from backend.accounts.models import User
from backend.accounts.preferences import PreferencesJson, preferences_of
from backend.accounts.services import password_change, preferences_change


class Credentials(serializers.Serializer):
    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class UserJson(serializers.ModelSerializer):
    is_admin = serializers.BooleanField(source="is_superuser", read_only=True)
    preferences = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "is_admin", "preferences"]
        read_only_fields = fields

    @extend_schema_field(PreferencesJson)
    def get_preferences(self, user: User) -> dict[str, Any]:
        return preferences_of(user)


class SessionJson(serializers.Serializer):
    user = UserJson(allow_null=True)


class TokenJson(serializers.Serializer):
    token = serializers.CharField()


class LoginThrottle(ScopedRateThrottle):
    """Counts only attempts, not looks."""

    scope = "login"

    def allow_request(self, request: Request, view: APIView) -> bool:
        view.throttle_scope = self.scope  # type: ignore[attr-defined]
        return request.method != "POST" or super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """By address alone: who is logged in would have a count of their own, and as many as they make accounts."""
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def admin_login(request: HttpRequest) -> HttpResponse:
    """Django's own, whose attempts count like those of the page."""
    if request.method == "POST" and not LoginThrottle().allow_request(Request(request), APIView()):
        return HttpResponse("Too many attempts. Wait a minute.", status=429, content_type="text/plain")
    return admin.site.login(request)


@method_decorator(ensure_csrf_cookie, name="dispatch")
class SessionView(APIView):
    permission_classes = [AllowAny]
    throttle_classes = [LoginThrottle]

    @extend_schema(operation_id="session_get", responses=SessionJson)
    def get(self, request: Request) -> Response:
        user = request.user if request.user.is_authenticated else None
        return Response(SessionJson({"user": user}).data)

    @extend_schema(operation_id="session_login", request=Credentials, responses=SessionJson)
    @method_decorator(csrf_protect)
    def post(self, request: Request) -> Response:
        user = _user_of(request)
        login(request, user)
        return Response(SessionJson({"user": user}).data)

    @extend_schema(operation_id="session_logout", responses={204: None})
    def delete(self, request: Request) -> Response:
        logout(request)
        return Response(status=204)


class TokenView(APIView):
    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = [LoginThrottle]

    @extend_schema(operation_id="token_create", request=Credentials, responses=TokenJson)
    def post(self, request: Request) -> Response:
        token, _ = Token.objects.get_or_create(user=_user_of(request))
        return Response(TokenJson({"token": token.key}).data)


class PreferencesView(APIView):
    @extend_schema(operation_id="preferences_get", responses=PreferencesJson)
    def get(self, request: Request) -> Response:
        return Response(preferences_of(_logged_in(request)))

    @extend_schema(operation_id="preferences_update", request=PreferencesJson, responses=PreferencesJson)
    def patch(self, request: Request) -> Response:
        """What is not named stays; null goes back to what is usual."""
        form = PreferencesJson(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return Response(preferences_change(user=_logged_in(request), changes=form.validated_data))


def _logged_in(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


class PasswordForm(serializers.Serializer):
    current = serializers.CharField(max_length=1000, trim_whitespace=False)
    new = serializers.CharField(max_length=1000, trim_whitespace=False)


class PasswordRulesJson(serializers.Serializer):
    rules = serializers.ListField(child=serializers.CharField())


class PasswordView(APIView):
    throttle_classes = [LoginThrottle]

    @extend_schema(operation_id="password_rules", responses=PasswordRulesJson)
    def get(self, request: Request) -> Response:
        """What a password must be."""
        return Response(PasswordRulesJson({"rules": password_validators_help_texts()}).data)

    @extend_schema(operation_id="password_change", request=PasswordForm, responses={204: None})
    def post(self, request: Request) -> Response:
        form = PasswordForm(data=request.data)
        form.is_valid(raise_exception=True)
        assert isinstance(request.user, User)
        password_change(user=request.user, **form.validated_data)
        request.user.refresh_from_db()
        update_session_auth_hash(request, request.user)  # this browser stays logged in
        return Response(status=204)


def _user_of(request: Request) -> User:
    credentials = Credentials(data=request.data)
    credentials.is_valid(raise_exception=True)
    user = authenticate(request, **credentials.validated_data)
    if not isinstance(user, User):
        raise LoginFailed("The name or the password is wrong.")
    return user
