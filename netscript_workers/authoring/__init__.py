"""What user code imports: decorators, contexts, results, definitions and presets."""
