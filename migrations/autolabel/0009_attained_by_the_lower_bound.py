"""What was said to be attained by the share alone, and not by the lower end of its interval, is said no more."""

from django.db import migrations

UNSAY = """
UPDATE autolabel_thresholds SET attained = FALSE
WHERE attained AND (precision_low IS NULL OR precision_low < wanted_precision)
"""


class Migration(migrations.Migration):
    dependencies = [("autolabel", "0008_prompts_of_runs")]

    operations = [migrations.RunSQL(UNSAY, migrations.RunSQL.noop)]
