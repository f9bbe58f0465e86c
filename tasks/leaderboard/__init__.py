"""The leaderboard of experiments: what each run changed, what it reached and what it cost, as table and page."""
