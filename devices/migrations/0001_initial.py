import django.db.models.deletion
import portal.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Device',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('category', models.CharField(choices=[('owned', 'Owned by the customer'), ('issued', 'Issued by the bank')], max_length=10)),
                ('kind', models.CharField(choices=[('mobile', 'Phone'), ('tablet', 'Tablet'), ('watch', 'Watch'), ('payment-card', 'Payment card'), ('smart-card', 'Smart card'), ('otp-token', 'OTP token')], max_length=20)),
                ('status', models.CharField(choices=[('PENDING', 'Pending'), ('ACTIVE', 'Active'), ('INACTIVE', 'Inactive'), ('BLOCKED', 'Blocked'), ('RETIRED', 'Retired')], max_length=10)),
                ('held_by', models.CharField(blank=True, choices=[('', 'Nobody'), ('owner', 'Owner'), ('bank', 'Bank')], default='', max_length=10)),
                ('external_id_sealed', models.TextField(blank=True)),
                ('external_id_index', models.CharField(blank=True, max_length=64)),
                ('external_id_last4', models.CharField(blank=True, max_length=4)),
                ('external_id_kind', models.CharField(blank=True, choices=[('imei', 'IMEI'), ('app-id', 'App id')], max_length=10)),
                ('nickname', models.CharField(blank=True, max_length=64)),
                ('nickname_key', models.CharField(blank=True, max_length=255)),
                ('manufacturer', models.CharField(blank=True, max_length=64)),
                ('model', models.CharField(blank=True, max_length=64)),
                ('operating_system', models.CharField(blank=True, max_length=64)),
                ('app_version', models.CharField(blank=True, max_length=64)),
                ('installation_id', models.CharField(blank=True, max_length=128)),
                ('push_platform', models.CharField(blank=True, choices=[('apns', 'APNs'), ('gcm', 'FCM'), ('wns', 'WNS'), ('mpns', 'MPNS')], max_length=10)),
                ('push_handle_sealed', models.TextField(blank=True)),
                ('push_handle_index', models.CharField(blank=True, max_length=64)),
                ('push_expires_at', models.DateTimeField(blank=True, null=True)),
                ('registered_at', models.DateTimeField()),
                ('activated_at', models.DateTimeField(blank=True, null=True)),
                ('switched_off_at', models.DateTimeField(blank=True, null=True)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('updated_at', models.DateTimeField()),
                ('last_activity_at', models.DateTimeField(blank=True, null=True)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='devices', to='accounts.bank')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='devices', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['bank', 'external_id_index'], name='device_by_external_id'), models.Index(fields=['bank', '-registered_at', '-id'], name='device_by_bank'), models.Index(fields=['bank', 'status', '-registered_at', '-id'], name='device_by_status'), models.Index(fields=['bank', 'kind', '-registered_at', '-id'], name='device_by_kind'), models.Index(fields=['owner', '-registered_at', '-id'], name='device_by_owner'), models.Index(fields=['bank', 'external_id_last4'], name='device_by_last4')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['PENDING', 'ACTIVE', 'INACTIVE', 'BLOCKED', 'RETIRED'])), name='device_status_known'), models.CheckConstraint(condition=models.Q(models.Q(('category', 'owned'), ('kind__in', ('mobile', 'tablet', 'watch'))), models.Q(('category', 'issued'), ('kind__in', ('payment-card', 'smart-card', 'otp-token'))), _connector='OR'), name='device_kind_fits_category'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['INACTIVE', 'BLOCKED']), ('held_by__in', ['owner', 'bank'])), models.Q(models.Q(('status__in', ['INACTIVE', 'BLOCKED']), _negated=True), ('held_by', '')), _connector='OR'), name='device_held_by_somebody_when_off'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'ACTIVE'), _negated=True), ('activated_at__isnull', False), _connector='OR'), name='device_active_has_activation'), models.CheckConstraint(condition=models.Q(models.Q(('retired_at__isnull', False), ('status', 'RETIRED')), models.Q(models.Q(('status', 'RETIRED'), _negated=True), ('retired_at__isnull', True)), _connector='OR'), name='device_retired_has_time'), models.CheckConstraint(condition=models.Q(models.Q(('external_id_index', ''), ('external_id_kind', ''), ('external_id_last4', ''), ('external_id_sealed', '')), models.Q(models.Q(('external_id_sealed', ''), _negated=True), models.Q(('external_id_index', ''), _negated=True), ('external_id_kind__in', ['imei', 'app-id'])), _connector='OR'), name='device_external_id_whole'), models.CheckConstraint(condition=models.Q(models.Q(('push_expires_at__isnull', True), ('push_handle_index', ''), ('push_handle_sealed', ''), ('push_platform', '')), models.Q(models.Q(('push_handle_sealed', ''), _negated=True), models.Q(('push_handle_index', ''), _negated=True), ('push_expires_at__isnull', False), ('push_platform__in', ['apns', 'gcm', 'wns', 'mpns'])), _connector='OR'), name='device_push_whole'), models.UniqueConstraint(condition=models.Q(models.Q(('status', 'RETIRED'), _negated=True), models.Q(('external_id_index', ''), _negated=True)), fields=('bank', 'external_id_index'), name='device_external_id_unique_in_use'), models.UniqueConstraint(condition=models.Q(models.Q(('status', 'RETIRED'), _negated=True), models.Q(('nickname_key', ''), _negated=True)), fields=('owner', 'nickname_key'), name='device_nickname_unique_in_use'), models.UniqueConstraint(condition=models.Q(models.Q(('status', 'RETIRED'), _negated=True), models.Q(('push_handle_index', ''), _negated=True)), fields=('bank', 'push_handle_index'), name='device_push_handle_unique_in_use')],
            },
        ),
        migrations.CreateModel(
            name='DeviceKey',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('algorithm', models.CharField(max_length=10)),
                ('public_key', models.CharField(max_length=128)),
                ('spelling', models.CharField(max_length=132)),
                ('fingerprint', models.CharField(max_length=64)),
                ('registered_at', models.DateTimeField()),
                ('proved_at', models.DateTimeField(blank=True, null=True)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='devices.device')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('algorithm__in', ['p256', 'ed25519'])), name='device_key_algorithm_known'), models.UniqueConstraint(condition=models.Q(('proved_at__isnull', False)), fields=('fingerprint',), name='device_key_unique_once_proved'), models.UniqueConstraint(condition=models.Q(('proved_at__isnull', False), ('retired_at__isnull', True)), fields=('device',), name='device_key_one_in_use')],
            },
        ),
    ]
