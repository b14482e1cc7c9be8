"""For authors of stages: run a stage without gRPC, in every body mode, however bytes are cut."""

from headrace.host.testing.message import Message, Seen
from headrace.host.testing.tester import Case, StageTester, Unequal

__all__ = ["Case", "Message", "Seen", "StageTester", "Unequal"]
