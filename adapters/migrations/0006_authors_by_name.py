from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('adapters', '0005_style_profile'),
    ]

    operations = [
        migrations.AddField(
            model_name='importitem',
            name='authors',
            field=ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None),
        ),
        # Names that have commas in them were parted at these; nothing tells them from others.
        migrations.RunSQL(
            "UPDATE adapters_importitem SET authors = string_to_array(author, ', ') WHERE author <> ''",
            "UPDATE adapters_importitem SET author = left(array_to_string(authors, ', '), 200)",
        ),
        migrations.RemoveField(
            model_name='importitem',
            name='author',
        ),
    ]
