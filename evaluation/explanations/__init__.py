"""Are the heatmaps faithful? Deletion and insertion, randomisation, the pointing game, mean heatmaps."""
