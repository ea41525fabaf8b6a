"""The service that hosts agents: builds their graphs, runs them within their budgets, answers in one shape."""
