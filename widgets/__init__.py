"""What a reader clicks: widgets that work on the static page and in JupyterLab alike.

Example:
    >>> from widgets import LifeCycle
    >>> [str(step) for step in LifeCycle.walk(["create", "start", "stop"])]
    ['created', 'running', 'exited (0)']
"""

from widgets.comparison_chart import ComparisonChart
from widgets.image_layers import ImageLayers
from widgets.life_cycle import LifeCycle
from widgets.self_check import SelfCheck

__all__ = ["CHARTS", "ComparisonChart", "ImageLayers", "LifeCycle", "SelfCheck"]

CHARTS = (ComparisonChart,)
"""Every chart; `tools/notebooks.py draw` draws their first paints."""
