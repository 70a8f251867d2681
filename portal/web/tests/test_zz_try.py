import pytest
from devices.tests.factories import *
from portal.web.tests.helpers import signed_in_client
pytestmark = pytest.mark.django_db
def test_try():
    bank = make_bank()
    d = make_device(make_customer(bank))
    c = signed_in_client(make_staff(bank))
    for u in ("/admin/", "/admin/devices/device/", f"/admin/devices/device/{d.pk}/change/", "/admin/accounts/user/", f"/admin/accounts/user/{d.owner_id}/change/", "/admin/accounts/bank/", "/admin/audit/auditevent/", "/admin/devices/"):
        r = c.get(u)
        print(u, r.status_code, len(r.content), r.headers.get("Location"))
    r = c.post("/admin/devices/device/", {"action":"block","_selected_action":str(d.pk)})
    print(r.status_code, r.content.decode()[-1500:])
