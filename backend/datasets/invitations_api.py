"""Invitations over HTTP. The token is in the body, never in an address that a log would keep."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import Http404
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from backend.accounts.models import User
from backend.datasets.api import person
from backend.datasets.invitations import (
    invitation_accept,
    invitation_create,
    invitation_of,
    invitation_withdraw,
    invitations_open,
)
from backend.datasets.models import Invitation, Role
from backend.datasets.selectors import dataset_get


class InvitationJson(serializers.ModelSerializer):
    created_by = serializers.CharField(source="created_by.username")

    class Meta:
        model = Invitation
        fields = ["id", "role", "note", "created_by", "created_at", "expires_at"]
        read_only_fields = fields


class InvitationForm(serializers.Serializer):
    role = serializers.ChoiceField(choices=Role.choices)
    note = serializers.CharField(max_length=120, allow_blank=True, default="")
    days = serializers.IntegerField(min_value=1, max_value=30, default=7)


class NewInvitationJson(serializers.Serializer):
    invitation = InvitationJson()
    token = serializers.CharField(help_text="For the link; said only this once.")


class TokenForm(serializers.Serializer):
    token = serializers.CharField(max_length=200)


class InvitedJson(serializers.Serializer):
    dataset = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    invited_by = serializers.CharField()
    password_rules = serializers.ListField(child=serializers.CharField())


class AcceptForm(TokenForm):
    username = serializers.CharField(max_length=150, default="", allow_blank=True)
    password = serializers.CharField(max_length=1000, default="", allow_blank=True, trim_whitespace=False)


class JoinedJson(serializers.Serializer):
    dataset = serializers.UUIDField()


class InvitationsView(APIView):
    @extend_schema(operation_id="invitations_list", responses=InvitationJson(many=True))
    def get(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        return Response(InvitationJson(invitations_open(dataset).select_related("created_by"), many=True).data)

    @extend_schema(operation_id="invitations_create", request=InvitationForm, responses={201: NewInvitationJson})
    def post(self, request: Request, dataset_id: UUID) -> Response:
        dataset = dataset_get(user=person(request), dataset_id=dataset_id, role=Role.ADMIN)
        form = InvitationForm(data=request.data)
        form.is_valid(raise_exception=True)
        invitation, token = invitation_create(dataset=dataset, by=person(request), **form.validated_data)
        return Response(NewInvitationJson({"invitation": invitation, "token": token}).data, status=201)


class InvitationView(APIView):
    @extend_schema(operation_id="invitations_withdraw", responses={204: None})
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        invitation = Invitation.objects.filter(id=invitation_id).first()
        if invitation is None:
            raise Http404
        dataset_get(user=person(request), dataset_id=invitation.dataset_id, role=Role.ADMIN)
        invitation_withdraw(invitation=invitation, by=person(request))
        return Response(status=204)


class _ByInvitation(APIView):
    """For whoever holds a link, with or without an account."""

    permission_classes = [AllowAny]
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "invitation"


@method_decorator(csrf_protect, name="dispatch")
class InvitedView(_ByInvitation):
    @extend_schema(operation_id="invitation_look", request=TokenForm, responses=InvitedJson)
    def post(self, request: Request) -> Response:
        """What a link invites to."""
        form = TokenForm(data=request.data)
        form.is_valid(raise_exception=True)
        invitation = invitation_of(form.validated_data["token"])
        invited = {
            "dataset": invitation.dataset.name,
            "role": invitation.role,
            "invited_by": invitation.created_by.username,
            "password_rules": password_validators_help_texts(),
        }
        return Response(InvitedJson(invited).data)


@method_decorator(csrf_protect, name="dispatch")
class AcceptView(_ByInvitation):
    @extend_schema(operation_id="invitation_accept", request=AcceptForm, responses=JoinedJson)
    def post(self, request: Request) -> Response:
        """Join, as whoever is logged in, or as a new person who then is."""
        form = AcceptForm(data=request.data)
        form.is_valid(raise_exception=True)
        own = request.user if isinstance(request.user, User) else None
        user, dataset = invitation_accept(user=own, **form.validated_data)
        if own is None:
            login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        return Response(JoinedJson({"dataset": dataset}).data)
