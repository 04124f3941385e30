"""For tests of what stands on a session: a mock of it, and rehearsals of an agent with a scripted caller.

``providers.fakes`` has a scripted provider of every kind.
"""

from session.testing.mock import Called, MockSession
from session.testing.rehearsal import Rehearsal, rehearse
from session.testing.script import Act, Does, HangsUp, Hears, Listens, Pauses, Presses, Says, Types
from session.testing.virtual_time import NothingWillHappen, run

__all__ = (
    "Act",
    "Called",
    "Does",
    "HangsUp",
    "Hears",
    "Listens",
    "MockSession",
    "NothingWillHappen",
    "Pauses",
    "Presses",
    "Rehearsal",
    "Says",
    "Types",
    "rehearse",
    "run",
)
