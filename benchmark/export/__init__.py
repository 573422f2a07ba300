"""Trials for other tools: frames, files of rows, and studies of Optuna."""
