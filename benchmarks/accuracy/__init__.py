"""Every table of errors in docs/liveness.md and docs/evaluation.md, made again from one command."""
