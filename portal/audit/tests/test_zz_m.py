import pytest,time,cProfile,pstats
from portal.audit.tests.factories import write_event, make_actor
from portal.audit import sealing, log, verification
from portal.audit.verification import verify
from django.db import transaction
@pytest.mark.django_db(transaction=True)
def test_m():
    a=make_actor()
    with transaction.atomic():
        for _ in range(20000): log.record(a,"device.updated",None,reason="because",details={"number":_})
    t=time.process_time(); n=sealing.seal_now(); print("\nseal us/row",(time.process_time()-t)/n*1e6)
    for _ in range(3):
        t=time.process_time(); verify(); print("verify us/row",(time.process_time()-t)/n*1e6)
    p=cProfile.Profile(); p.enable()
    verify()
    p.disable(); pstats.Stats(p).sort_stats("tottime").print_stats(25)
