from django.contrib import admin

from backend.review.models import Verdict


@admin.register(Verdict)
class VerdictAdmin(admin.ModelAdmin):
    list_display = ["mask", "by", "answer", "created_at"]
