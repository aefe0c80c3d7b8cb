"""The ways to run one attempt: in this process, in a warm slot, in a fresh process."""
