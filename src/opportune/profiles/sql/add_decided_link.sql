-- A person said that these two are one: evidence like any other, with its time.
insert into identifier_link (owner_id, other_id, occurred_at_us, message_id, source_id, rule, set_aside)
values (%(owner_id)s, %(other_id)s, %(now_us)s, %(review_id)s, 'opportune', 'decided', 'new')
on conflict (owner_id, other_id) do update set
    occurred_at_us = excluded.occurred_at_us, message_id = excluded.message_id, source_id = excluded.source_id,
    rule = excluded.rule, set_aside = excluded.set_aside
