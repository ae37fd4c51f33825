-- A token bucket in one statement: a row comes back only if there were enough tokens.
insert into bucket (name, tokens, filled_at)
values (%(name)s, %(capacity)s - %(tokens)s, clock_timestamp())
on conflict (name) do update set
    tokens = least(%(capacity)s, bucket.tokens + %(per_second)s
        * greatest(0, extract(epoch from clock_timestamp() - bucket.filled_at))) - %(tokens)s,
    filled_at = clock_timestamp()
where least(%(capacity)s, bucket.tokens + %(per_second)s
    * greatest(0, extract(epoch from clock_timestamp() - bucket.filled_at))) >= %(tokens)s
returning tokens
