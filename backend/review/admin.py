from django.contrib import admin

from backend.review.models import Question, Verdict


@admin.register(Question)
class QuestionAdmin(admin.ModelAdmin):
    list_display = ["mask", "holder", "kind", "state", "created_at"]
    list_filter = ["kind", "state"]


@admin.register(Verdict)
class VerdictAdmin(admin.ModelAdmin):
    list_display = ["mask", "by", "answer", "created_at"]
