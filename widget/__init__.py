"""The web chat widget; its sources are TypeScript, its build is started from Python."""
