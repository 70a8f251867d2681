import pytest,time,cProfile,pstats
from portal.audit.tests.factories import make_actor
from portal.audit import sealing, log
from portal.audit.models import AuditEvent
from portal.audit.verification import verify
@pytest.mark.django_db(transaction=True)
def test_m():
    a=make_actor()
    AuditEvent.objects.bulk_create([log.prepared(a,"device.updated",None,reason="because",details={"number":_}) for _ in range(20000)])
    n=sealing.seal_all()
    for _ in range(4):
        t=time.process_time(); verify(); print("verify us/row",(time.process_time()-t)/n*1e6)
    p=cProfile.Profile(); p.enable()
    verify()
    p.disable(); pstats.Stats(p).sort_stats("tottime").print_stats(22)
