-- Which message each telling of traits is from; when it was said is written as resolving writes it.
insert into telling (identifier_id, said_at, source_id, message_id)
select identifier_id, said_at, source_id, message_id
from (
    select distinct on (identifier_id, said_at) identifier_id, said_at, source_id, message_id
    from (
        select holder(user_id, anonymous_id, %(blocked)s, %(blocked_patterns)s) as identifier_id,
            (occurred_at_us + ('x' || left(md5(message_id), 7))::bit(28)::int / 1e9)::text as said_at,
            source_id, message_id
        from teller
    ) as held
    where identifier_id is not null
    order by identifier_id, said_at, message_id collate "C"
) as new
order by identifier_id, said_at
on conflict (identifier_id, said_at) do nothing
