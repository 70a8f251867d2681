import django.db.models.deletion
import portal.core.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0005_two_factor'),
        ('devices', '0002_device_life'),
    ]

    operations = [
        migrations.CreateModel(
            name='TwoFactorRequest',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('request_id', models.UUIDField(default=portal.core.ids.new_id)),
                ('kind', models.CharField(max_length=32)),
                ('proof', models.CharField(choices=[('signature', "Signed by the device's key"), ('transaction-id', 'Not signed: a transaction id'), ('token', "The device's token")], max_length=16)),
                ('content_sealed', models.TextField()),
                ('message_sealed', models.TextField()),
                ('rounds', models.PositiveSmallIntegerField(default=1)),
                ('number_digest', models.CharField(blank=True, max_length=64)),
                ('wrong_numbers', models.PositiveSmallIntegerField(default=0)),
                ('wrong_signatures', models.PositiveIntegerField(default=0)),
                ('state', models.CharField(choices=[('pending', 'Waiting'), ('approved', 'Approved'), ('denied', 'Denied'), ('expired', 'Expired'), ('cancelled', 'Cancelled')], default='pending', max_length=10)),
                ('requested_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('cap_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('close_reason', models.CharField(blank=True, max_length=200)),
                ('alerted_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='two_factor_requests', to=settings.AUTH_USER_MODEL)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='two_factor_requests', to='accounts.bank')),
                ('destination', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='two_factor_requests', to='devices.device')),
                ('session', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL)),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='devices.device')),
            ],
            options={
                'indexes': [models.Index(fields=['bank', '-requested_at', '-id'], name='two_factor_by_bank'), models.Index(fields=['bank', 'state', '-requested_at', '-id'], name='two_factor_by_state'), models.Index(fields=['account', '-requested_at'], name='two_factor_by_account'), models.Index(fields=['application', '-requested_at', '-id'], name='two_factor_by_client'), models.Index(condition=models.Q(('state', 'pending')), fields=['destination'], name='two_factor_open_at'), models.Index(condition=models.Q(('state', 'pending')), fields=['expires_at'], name='two_factor_lapsing'), models.Index(condition=models.Q(('alerted_at__isnull', False)), fields=['bank', '-alerted_at'], name='two_factor_alerted')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'approved', 'denied', 'expired', 'cancelled'])), name='two_factor_state_known'), models.CheckConstraint(condition=models.Q(('source__isnull', True), models.Q(('source', models.F('destination')), _negated=True), _connector='OR'), name='two_factor_source_never_answers'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'payment'), _negated=True), ('proof', 'signature'), _connector='OR'), name='two_factor_payment_is_signed'), models.CheckConstraint(condition=models.Q(('expires_at__lte', models.F('cap_at'))), name='two_factor_life_bounded'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state', 'pending')), models.Q(models.Q(('state', 'pending'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='two_factor_closed_has_time')],
            },
        ),
        migrations.CreateModel(
            name='EnrolmentPolicy',
            fields=[
                ('bank', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='enrolment_policy', serialize=False, to='accounts.bank')),
                ('in_person', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='AlertReview',
            fields=[
                ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='review', serialize=False, to='twofa.twofactorrequest')),
                ('reviewed_by', models.CharField(max_length=200)),
                ('note', models.CharField(max_length=500)),
                ('reviewed_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='IdentityProvider',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=64)),
                ('issuer', models.CharField(max_length=255)),
                ('audience', models.CharField(max_length=255)),
                ('algorithms', models.JSONField(default=list)),
                ('jwks_uri', models.CharField(blank=True, max_length=500)),
                ('key_set', models.TextField(blank=True)),
                ('fetched_at', models.DateTimeField(blank=True, null=True)),
                ('tried_at', models.DateTimeField(blank=True, null=True)),
                ('authorization_endpoint', models.CharField(blank=True, max_length=500)),
                ('token_endpoint', models.CharField(blank=True, max_length=500)),
                ('client_secret_sealed', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('suspended_at', models.DateTimeField(blank=True, null=True)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='identity_providers', to='accounts.bank')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('bank', 'name'), name='identity_provider_name_unique'), models.CheckConstraint(condition=models.Q(models.Q(('jwks_uri', ''), _negated=True), models.Q(('key_set', ''), _negated=True), _connector='OR'), name='identity_provider_has_keys'), models.CheckConstraint(condition=models.Q(models.Q(('authorization_endpoint', ''), ('token_endpoint', '')), models.Q(models.Q(('authorization_endpoint', ''), _negated=True), models.Q(('token_endpoint', ''), _negated=True)), _connector='OR'), name='identity_provider_browser_whole')],
            },
        ),
        migrations.CreateModel(
            name='BrowserSignIn',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('state_digest', models.CharField(max_length=64, unique=True)),
                ('browser_digest', models.CharField(max_length=64)),
                ('nonce', models.CharField(max_length=64)),
                ('verifier_sealed', models.TextField()),
                ('redirect_uri', models.CharField(max_length=500)),
                ('scope', models.CharField(max_length=500)),
                ('state', models.CharField(blank=True, max_length=500)),
                ('code_challenge', models.CharField(max_length=128)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('number_sealed', models.TextField(blank=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('request', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='twofa.twofactorrequest')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='twofa.identityprovider')),
            ],
            options={
                'indexes': [models.Index(fields=['expires_at'], name='browser_sign_in_lapsing')],
            },
        ),
        migrations.CreateModel(
            name='SignInChallenge',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='devices.devicekey')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='twofa.identityprovider')),
            ],
            options={
                'indexes': [models.Index(fields=['expires_at'], name='sign_in_challenge_lapsing')],
            },
        ),
        migrations.CreateModel(
            name='ActivationCode',
            fields=[
                ('id', models.UUIDField(default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('issued_by', models.CharField(max_length=200)),
                ('in_person', models.BooleanField(default=False)),
                ('code_digest', models.CharField(max_length=64)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('cancelled_by', models.CharField(blank=True, max_length=200)),
                ('bank', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.bank')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='activation_codes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['bank', '-created_at', '-id'], name='activation_code_by_bank')],
                'constraints': [models.CheckConstraint(condition=models.Q(('tries__lte', 5)), name='activation_code_tries_bounded'), models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('customer',), name='activation_code_one_open'), models.CheckConstraint(condition=models.Q(('used_at__isnull', True), ('used_at', models.F('closed_at')), _connector='OR'), name='activation_code_used_is_closed')],
            },
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='answer', serialize=False, to='twofa.twofactorrequest')),
                ('decision', models.CharField(choices=[('approved', 'Approved'), ('denied', 'Denied')], max_length=10)),
                ('proof', models.CharField(choices=[('signature', "Signed by the device's key"), ('transaction-id', 'Not signed: a transaction id'), ('token', "The device's token")], max_length=16)),
                ('verified', models.BooleanField()),
                ('signature', models.CharField(blank=True, max_length=160)),
                ('tx_id', models.CharField(blank=True, max_length=256)),
                ('not_me', models.BooleanField(default=False)),
                ('message_sealed', models.TextField()),
                ('answered_at', models.DateTimeField()),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='devices.device')),
                ('key', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='devices.devicekey')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('decision__in', ['approved', 'denied'])), name='two_factor_answer_known'), models.CheckConstraint(condition=models.Q(('verified', False), models.Q(('key__isnull', False), ('proof', 'signature'), models.Q(('signature', ''), _negated=True)), _connector='OR'), name='two_factor_signed_has_key'), models.CheckConstraint(condition=models.Q(models.Q(('decision', 'approved'), _negated=True), ('verified', True), ('proof', 'transaction-id'), _connector='OR'), name='two_factor_approved_is_proved')],
            },
        ),
        migrations.CreateModel(
            name='NewDeviceSignIn',
            fields=[
                ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='new_device', serialize=False, to='twofa.twofactorrequest')),
                ('facts_sealed', models.TextField()),
                ('public_key', models.CharField(blank=True, max_length=132)),
                ('proved', models.BooleanField(default=False)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('session', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL)),
            ],
        ),
    ]
