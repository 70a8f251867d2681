from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0004_resends'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='message',
            name='message_kind_known',
        ),
        migrations.AddField(
            model_name='message',
            name='gone',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='message',
            name='service',
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AlterField(
            model_name='message',
            name='kind',
            field=models.CharField(choices=[('email', 'Email'), ('sms', 'Sms'), ('push', 'Push'), ('webhook', 'Webhook')], max_length=10),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('service', ''), _negated=True), fields=['bank_id', 'service', 'state', 'gone', '-id'], name='message_by_service'),
        ),
        migrations.AddConstraint(
            model_name='message',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['email', 'sms', 'push', 'webhook'])), name='message_kind_known'),
        ),
    ]
