"""Signing in in a browser with a device that can sign: it approves first, and the browser waits."""

from typing import Any

import pytest

from portal.accounts.models import AccessToken, Application
from portal.api.tests.test_authorize import Scene, answered
from portal.audit.models import AuditEvent
from twofa.models import BrowserSignIn, TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.tests.asking import bound, make_phone, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(monkeypatch)
    scene.phone = make_phone(scene.ada, "ada")  # type: ignore[attr-defined]
    return scene


def asked(scene: Scene, **rules: Any) -> tuple[Any, Any]:
    """The page that waits, and where it looks again."""
    Application.objects.filter(pk=scene.application.pk).update(**rules)
    page = scene.come_back(scene.leave(scope="devices pin twofa"))
    assert page.status_code == 200
    pause, _, url = page["Refresh"].partition("; url=")
    assert pause == "3"
    return page, url


def owner(scene: Scene) -> Any:
    return bound(scene.phone)  # type: ignore[attr-defined]


def test_the_code_comes_after_the_devices_yes(scene: Scene) -> None:
    page, url = asked(scene)
    assert "Approve on your phone" in page.content.decode()
    request = TwoFactorRequest.objects.whole().get()
    assert (request.kind, request.account, request.application) == ("sign-in", scene.ada, scene.application)
    assert scene.browser.get(url).status_code == 200
    approve_request(actor=owner(scene), id=str(request.pk), signature=signed(request))
    code = answered(scene.browser.get(url))["code"]
    assert scene.trade(code).status_code == 200
    assert sorted(AccessToken.objects.get().scope.split()) == ["devices", "pin", "twofa"]
    assert scene.browser.get(url).status_code == 400  # once


@pytest.mark.parametrize("not_me", [False, True])
def test_a_no_sends_the_browser_back_without_a_code(scene: Scene, not_me: bool) -> None:
    _, url = asked(scene)
    deny_request(actor=owner(scene), id=str(TwoFactorRequest.objects.get().pk), not_me=not_me)
    told = answered(scene.browser.get(url))
    assert (told["error"], told["state"]) == ("access_denied", "xyz")
    assert AuditEvent.objects.filter(code="sign-in-not-approved").count() == 1
    assert scene.browser.get(url).status_code == 400
    assert not AccessToken.objects.exists()


def test_the_number_is_shown_until_it_is_typed(scene: Scene) -> None:
    page, url = asked(scene, number_matching=True)
    number = page.context["number"]
    assert len(number) == 2
    assert number in scene.browser.get(url).content.decode()
    assert number not in BrowserSignIn.objects.get().number_sealed
    request = TwoFactorRequest.objects.whole().get()
    approve_request(actor=owner(scene), id=str(request.pk), signature=signed(request), number=number)
    assert "code" in answered(scene.browser.get(url))


def test_another_browser_learns_nothing(scene: Scene) -> None:
    _, url = asked(scene)
    request = TwoFactorRequest.objects.whole().get()
    approve_request(actor=owner(scene), id=str(request.pk), signature=signed(request))
    mine = scene.browser
    scene.browser = type(mine)(raise_request_exception=False)
    assert scene.browser.get(url).status_code == 400
    scene.browser = mine
    assert "code" in answered(scene.browser.get(url))


def test_who_was_suspended_meanwhile_gets_no_code(scene: Scene) -> None:
    _, url = asked(scene)
    request = TwoFactorRequest.objects.whole().get()
    approve_request(actor=owner(scene), id=str(request.pk), signature=signed(request))
    scene.ada.is_active = False
    scene.ada.save(update_fields=["is_active"])
    assert answered(scene.browser.get(url))["error"] == "access_denied"


def test_without_a_device_that_could_approve_the_session_may_do_less(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    code = answered(scene.come_back(scene.leave(scope="devices fingerprints pin certificates transfers twofa")))[
        "code"
    ]
    assert scene.trade(code).status_code == 200
    assert sorted(AccessToken.objects.get().scope.split()) == ["devices", "fingerprints"]
