"""The thread through the stages: frames -> faces -> crops -> probabilities and heatmaps -> annotated frames."""
