"""The pages of voices, their writing, imports and training, and a job's stream of events."""
