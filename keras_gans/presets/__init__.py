"""Presets below the models: reading them, writing them, and the repositories that they make."""
