"""What a reader clicks: widgets that work on the static page and in JupyterLab alike.

Example:
    >>> from widgets import LifeCycle
    >>> [str(step) for step in LifeCycle.walk(["create", "start", "stop"])]
    ['created', 'running', 'exited (0)']
"""

from functools import partial

from widgets.comparison_chart import ComparisonChart
from widgets.cost_crossover import CostCrossover
from widgets.eks_calendar import EksCalendar
from widgets.heal_times import HealTimes
from widgets.image_layers import ImageLayers
from widgets.life_cycle import LifeCycle
from widgets.lost_requests import LostRequests
from widgets.measured_comparison import MeasuredComparison
from widgets.persona_table import PersonaTable
from widgets.placement import Host, Placement, place_tasks
from widgets.scaling_race import ScalingRace, run_race
from widgets.self_check import SelfCheck
from widgets.service_selector import ServiceSelector

__all__ = [
    "CHARTS",
    "ComparisonChart",
    "CostCrossover",
    "EksCalendar",
    "HealTimes",
    "Host",
    "ImageLayers",
    "LifeCycle",
    "LostRequests",
    "MeasuredComparison",
    "PersonaTable",
    "Placement",
    "ScalingRace",
    "SelfCheck",
    "ServiceSelector",
    "place_tasks",
    "run_race",
]

CHARTS = (ComparisonChart, LostRequests, partial(LostRequests, "by-hand"))
"""What makes every chart; `tools/notebooks.py draw` draws their first paints."""
