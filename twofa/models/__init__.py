"""Two-factor requests and their answers, and what sign-in rests on."""

from twofa.models.alerts import AlertReview
from twofa.models.identity import (
    ALGORITHMS,
    CODE_TRIES,
    ActivationCode,
    BrowserSignIn,
    EnrolmentPolicy,
    IdentityProvider,
    NewDeviceSignIn,
    SignInChallenge,
)
from twofa.models.requests import Answer, TwoFactorRequest

__all__ = [
    "ALGORITHMS",
    "CODE_TRIES",
    "ActivationCode",
    "AlertReview",
    "Answer",
    "BrowserSignIn",
    "EnrolmentPolicy",
    "IdentityProvider",
    "NewDeviceSignIn",
    "SignInChallenge",
    "TwoFactorRequest",
]
