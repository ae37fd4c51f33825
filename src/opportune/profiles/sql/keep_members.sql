-- Who belongs to which account, since the first call that said so.
insert into account_member as known (account_id, identifier_id, joined_at_us, message_id, source_id)
select distinct on (account_id, identifier_id) account_id, identifier_id, occurred_at_us, message_id, source_id
from (
    select try_jsonb_object(properties) ->> 'groupId' as account_id,
        holder(user_id, anonymous_id, %(blocked)s, %(blocked_patterns)s) as identifier_id,
        occurred_at_us, message_id, source_id
    from call
) as said
where identifier_id is not null and char_length(account_id) between 1 and 500
order by account_id, identifier_id, occurred_at_us, message_id collate "C"
on conflict (account_id, identifier_id) do update set
    joined_at_us = excluded.joined_at_us,
    message_id = excluded.message_id,
    source_id = excluded.source_id
where excluded.joined_at_us < known.joined_at_us
    or (excluded.joined_at_us = known.joined_at_us and excluded.message_id collate "C" < known.message_id collate "C")
