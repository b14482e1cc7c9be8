"""Our figures under the names of others, so that their dashboards and autoscalers work here."""
