-- 1 until the job was done, also while nobody has scheduled it yet.
select 1 - count(*)::int as count
from job
where kind = 'decide_day' and key = %(key)s and done_at is not null
