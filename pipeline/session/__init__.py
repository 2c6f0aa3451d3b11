"""One attempt as a pure state machine over observations: others need `SessionPipeline` alone."""

from pipeline.session.session import SessionPipeline

__all__ = ["SessionPipeline"]
