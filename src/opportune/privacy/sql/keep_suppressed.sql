-- Adds to the list of those whom nobody may bring back; who is forgotten again, is forgotten as of the later time.
insert into privacy_suppressed (identifier_hash, salt, forgotten_at_us)
select identifier_hash, max(salt), max(forgotten_at_us)
from jsonb_to_recordset(%(rows)s::jsonb) as given (identifier_hash text, salt text, forgotten_at_us bigint)
group by identifier_hash
order by identifier_hash
on conflict (identifier_hash) do update set
    forgotten_at_us = greatest(privacy_suppressed.forgotten_at_us, excluded.forgotten_at_us)
