"""Are heatmaps faithful? Deletion and insertion, parameter randomisation, pointing game, mean heatmaps."""
