from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0002_complete"),
    ]

    operations = [
        migrations.AddField(
            model_name="release",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="release",
            name="worker",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="release",
            name="heard_at",
            field=models.DateTimeField(null=True),
        ),
    ]
