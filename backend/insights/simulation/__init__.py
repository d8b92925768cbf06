"""Simulated annotators: the whole engine through its HTTP API, by people who know the truth from a label-map folder.

settings = Settings(data=Path("dsb2018"), out=Path("out"))
with own_server() as server:
    report = run(settings, server)
"""

from backend.insights.simulation.loop import run
from backend.insights.simulation.report import Report
from backend.insights.simulation.server import Server, own_server
from backend.insights.simulation.settings import Habits, Settings

__all__ = ["Habits", "Report", "Server", "Settings", "own_server", "run"]
