import django.db.models.deletion
import portal.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_customer_list'),
    ]

    operations = [
        migrations.CreateModel(
            name='Passkey',
            fields=[
                ('name', models.CharField(help_text='The human-readable name of this device.', max_length=64)),
                ('confirmed', models.BooleanField(default=True, help_text='Is this device ready for use?')),
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('credential_id', models.CharField(max_length=1364, unique=True)),
                ('public_key', models.BinaryField()),
                ('uses', models.BigIntegerField(default=0)),
                ('synced', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='PasskeyChallenge',
            fields=[
                ('challenge', models.CharField(max_length=43, primary_key=True, serialize=False)),
                ('purpose', models.CharField(max_length=16)),
                ('session', models.CharField(max_length=64)),
                ('expires_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='application',
            name='app_secret_before',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='application',
            name='app_secret_before_until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='application',
            name='approval_proof',
            field=models.CharField(choices=[('signature', "Signed by the device's key"), ('transaction-id', 'Not signed: a transaction id')], default='signature', max_length=16),
        ),
        migrations.AddField(
            model_name='application',
            name='number_matching',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='application',
            name='proves_possession',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='application',
            name='request_seconds',
            field=models.PositiveSmallIntegerField(default=180),
        ),
        migrations.AddField(
            model_name='application',
            name='webhook_key_sealed',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='application',
            name='webhook_url',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='grant',
            name='token_family',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='grant',
            name='used_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.CheckConstraint(condition=models.Q(('approval_proof__in', ['signature', 'transaction-id'])), name='application_proof_known'),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.CheckConstraint(condition=models.Q(('request_seconds__gte', 30), ('request_seconds__lte', 600)), name='application_request_seconds_bounded'),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.UniqueConstraint(condition=models.Q(('app_secret_digest', ''), _negated=True), fields=('app_secret_digest',), name='application_app_secret_unique'),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.UniqueConstraint(condition=models.Q(('app_secret_before', ''), _negated=True), fields=('app_secret_before',), name='application_app_secret_before_unique'),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('app_secret_before', ''), ('app_secret_before_until', None)), models.Q(models.Q(('app_secret_before', ''), _negated=True), ('app_secret_before_until__isnull', False)), _connector='OR'), name='application_app_secret_before_ends'),
        ),
        migrations.AddField(
            model_name='passkey',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='passkeychallenge',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='passkey',
            constraint=models.CheckConstraint(condition=models.Q(('uses__gte', 0)), name='passkey_uses_counted'),
        ),
    ]
