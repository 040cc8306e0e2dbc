"""The harness `bench/automl`: the same folds, budgets and cores for every AutoML system, and one scorer for all."""
