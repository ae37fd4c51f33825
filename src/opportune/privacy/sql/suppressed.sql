-- Whom nobody may bring back.
select identifier_hash, salt, forgotten_at_us
from privacy_suppressed
order by identifier_hash
