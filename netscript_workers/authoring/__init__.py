"""What user code imports: `@job`, the context, results, definitions, permission presets."""
