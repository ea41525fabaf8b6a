"""The service that routes: task type to agent, under the fleet's governance, each decision in a chained audit."""
