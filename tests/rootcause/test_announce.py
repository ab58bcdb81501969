"""What of incidents and alarms is told, and when."""

from yarl import URL

from rootcause.alerts.notice import Notice, of_finding
from rootcause.alerts.notify import Notifier
from rootcause.alerts.outbox import Outbox
from rootcause.alerts.targets import Target
from rootcause.alerts.trial import trial
from rootcause.announce import Announcer
from tests.rootcause.alerts.test_notify import NOW


async def test_an_incident_is_told_when_its_evaluation_is_over() -> None:
    target, outbox, still_open = Target(URL("http://127.0.0.1:9/")), Outbox(None), list[Notice]()
    notifier = Notifier([target], outbox, lambda delivery: None)
    # The store is asked by catch_up only.
    announcer = Announcer(notifier, lambda: still_open, None, None)
    announcer.incidents([])
    still_open.append(of_finding(trial(NOW)[0]))
    announcer.alarms([])
    assert outbox.waiting(target.queue) == 0, "the evaluation that opened it has not written it down yet"
    announcer.incidents([])
    assert outbox.waiting(target.queue) == 1
