"""The decisions: the stage contract, the stages of this project, and nothing that does I/O."""
