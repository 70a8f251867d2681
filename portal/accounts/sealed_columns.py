"""What accounts keep sealed."""

from portal.accounts.models import Application, TotpAuthenticator, User
from portal.accounts.operations import client_signing, client_webhooks
from portal.accounts.operations.people import EMAIL, PHONE
from portal.accounts.operations.second_factor import SEED
from portal.sealed import SealedColumn, register

register(
    SealedColumn(model=User, column="phone_sealed", purpose=PHONE),
    SealedColumn(model=User, column="email_sealed", purpose=EMAIL),
    SealedColumn(model=TotpAuthenticator, column="seed_sealed", purpose=SEED, row="user_id"),
    SealedColumn(model=Application, column="sign_secret_sealed", purpose=client_signing.PURPOSE, row="client_id"),
    SealedColumn(model=Application, column="webhook_key_sealed", purpose=client_webhooks.PURPOSE, row="client_id"),
)
