"""One table of cases for every integration: what must hold on any transport.

An integration plugs in with a ``Transport``, a small adapter that drives its client the way an application
would, and a test class:

    class TestPika(Cases):
        @pytest.fixture
        def transport(self, capture: Capture, rabbitmq: RabbitMQ) -> Iterator[Transport]:
            ...

``Cases`` has a test per case; each runs on the real broker.
"""

from tests.tracing.kit.cases import Cases
from tests.tracing.kit.transport import RefusedError, Taken, Transport

__all__ = ["Cases", "RefusedError", "Taken", "Transport"]
