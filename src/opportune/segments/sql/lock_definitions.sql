-- One writer of definitions at a time: two at once would both write the same next version.
lock table definition in share row exclusive mode
