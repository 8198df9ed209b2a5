"""The thread through the stages: frames -> faces -> crops -> probabilities and heatmaps -> annotated frames."""

import support  # noqa: F401 - first: it keeps libraries from writing home and from looking hosts up
