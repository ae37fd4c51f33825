-- A day's rows come at once: without fresh statistics every claim would read and sort all of them.
analyze outbox
